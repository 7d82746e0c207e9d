// Runs a client's scenarios against each model: the job comes by standard input, what came of it goes out as JSON.
import { text } from "node:stream/consumers";

export const CITY = {
  type: "object",
  properties: { city: { type: "string" } },
  required: ["city"],
  additionalProperties: false,
};

/** `make` gives the scenarios of one model; one that throws is told by its error, and the others go on. */
export async function run(make) {
  const { models, ...job } = JSON.parse(await text(process.stdin));
  const told = {};
  for (const [model, wanted] of Object.entries(models)) {
    const scenarios = make({ ...job, model });
    told[model] = {};
    for (const name of wanted.filter((name) => name in scenarios)) {
      try {
        told[model][name] = await scenarios[name]();
      } catch (error) {
        told[model][name] = { error: `${error.name}: ${error.message}` };
      }
    }
  }
  process.stdout.write(JSON.stringify(told));
}

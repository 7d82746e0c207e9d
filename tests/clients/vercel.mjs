// What Vercel's AI SDK makes of the gateway's answers through its OpenAI-compatible provider, as JSON.
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { APICallError, generateText, Output, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";
import { run } from "./scenarios.mjs";

await run(({ base, key, model, words, tool: about }) => {
  const provider = createOpenAICompatible({ name: "gateway", baseURL: `${base}/v1`, apiKey: key, supportsStructuredOutputs: true });
  const ask = (prompt, more = {}) => ({ model: provider(model), prompt, maxRetries: 0, ...more });
  return {
    async whole() {
      const { text, finishReason } = await generateText(ask(words.greet));
      return { text, finish: finishReason };
    },
    async stream() {
      const pieces = [];
      const answer = streamText(ask(words.greet));
      for await (const piece of answer.textStream) pieces.push(piece);
      return { text: pieces.join(""), several: pieces.length > 1, finish: await answer.finishReason };
    },
    async tools() {
      const calls = [];
      const weather = tool({
        description: about.description,
        inputSchema: z.object({ city: z.string() }),
        execute: async (input) => {
          calls.push([about.name, input]);
          return "sunny";
        },
      });
      const answer = streamText(ask(words.weather, { tools: { [about.name]: weather }, stopWhen: stepCountIs(3) }));
      const steps = await answer.steps;
      return { calls, finish: steps[0].finishReason, then: await answer.text };
    },
    async thinking() {
      const answer = streamText(ask(words.think));
      return { thought: (await answer.reasoningText) ?? "", text: await answer.text };
    },
    async object() {
      const schema = z.object({ city: z.string(), degrees: z.number() });
      return (await generateText(ask(words.object, { output: Output.object({ schema }) }))).output;
    },
    async refused() {
      try {
        await generateText(ask(words.too_much));
      } catch (error) {
        const refused = APICallError.isInstance(error) && error.statusCode === 400;
        return { refused, status: error.statusCode, said: error.message.includes("Too long for us.") };
      }
    },
  };
});

// What OpenAI's own client for Node.js makes of the gateway's answers, as JSON.
import OpenAI from "openai";
import { CITY, run } from "./scenarios.mjs";

await run(({ base, key, model, words, tool }) => {
  const client = new OpenAI({ baseURL: `${base}/v1`, apiKey: key, maxRetries: 0 });
  const chat = client.chat.completions;
  const ask = (content, more = {}) => ({ model, messages: [{ role: "user", content }], ...more });
  return {
    async whole() {
      const answer = await chat.create(ask(words.greet));
      return { text: answer.choices[0].message.content, finish: answer.choices[0].finish_reason };
    },
    async stream() {
      const pieces = [];
      let finish = null;
      for await (const chunk of await chat.create(ask(words.greet, { stream: true }))) {
        if (chunk.choices[0]?.delta?.content) pieces.push(chunk.choices[0].delta.content);
        finish = chunk.choices[0]?.finish_reason ?? finish;
      }
      return { text: pieces.join(""), several: pieces.length > 1, finish };
    },
    async tools() {
      const tools = [{ type: "function", function: { ...tool, parameters: CITY } }];
      const stream = chat.stream(ask(words.weather, { tools }));
      const { message, finish_reason } = (await stream.finalChatCompletion()).choices[0];
      const calls = message.tool_calls.map((call) => [call.function.name, JSON.parse(call.function.arguments)]);
      const results = message.tool_calls.map((call) => ({ role: "tool", tool_call_id: call.id, content: "sunny" }));
      const messages = [{ role: "user", content: words.weather }, message, ...results];
      const answer = await chat.create({ model, tools, messages });
      return { calls, finish: finish_reason, then: answer.choices[0].message.content };
    },
    async thinking() {
      let [thought, text] = ["", ""];
      for await (const chunk of await chat.create(ask(words.think, { stream: true }))) {
        thought += chunk.choices[0]?.delta?.reasoning_content ?? "";
        text += chunk.choices[0]?.delta?.content ?? "";
      }
      return { thought, text };
    },
    async object() {
      const schema = { name: "report", strict: true, schema: CITY };
      const answer = await chat.parse(ask(words.object, { response_format: { type: "json_schema", json_schema: schema } }));
      return JSON.parse(answer.choices[0].message.content);
    },
    async refused() {
      try {
        await chat.create(ask(words.too_much, { stream: true }));
      } catch (error) {
        const refused = error instanceof OpenAI.BadRequestError;
        return { refused, status: error.status, said: error.message.includes("Too long for us.") };
      }
    },
    async responses() {
      const input = [{ role: "user", content: words.greet }];
      const whole = await client.responses.create({ model, input });
      let deltas = "";
      const stream = client.responses.stream({ model, input });
      for await (const event of stream) if (event.type === "response.output_text.delta") deltas += event.delta;
      const final = await stream.finalResponse();
      return { whole: whole.output_text, deltas, final: final.output_text, status: final.status };
    },
    async embeddings() {
      const answer = await client.embeddings.create({ model, input: words.embed, encoding_format: "float" });
      return answer.data[0].embedding;
    },
  };
});

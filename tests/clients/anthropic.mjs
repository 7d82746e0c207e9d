// What Anthropic's own client for Node.js makes of the gateway's answers, as JSON.
import Anthropic from "@anthropic-ai/sdk";
import { CITY, run } from "./scenarios.mjs";

await run(({ base, key, model, words, tool }) => {
  const client = new Anthropic({ baseURL: base, apiKey: key, maxRetries: 0 });
  const ask = (content, more = {}) => ({ model, max_tokens: 500, messages: [{ role: "user", content }], ...more });
  const texts = (message) => message.content.filter((block) => block.type === "text").map((block) => block.text).join("");
  return {
    async whole() {
      const message = await client.messages.create(ask(words.greet));
      return { text: texts(message), finish: message.stop_reason };
    },
    async stream() {
      const pieces = [];
      const stream = client.messages.stream(ask(words.greet)).on("text", (text) => pieces.push(text));
      const message = await stream.finalMessage();
      return { text: pieces.join(""), several: pieces.length > 1, finish: message.stop_reason };
    },
    async tools() {
      const tools = [{ ...tool, input_schema: CITY }];
      const message = await client.messages.stream(ask(words.weather, { tools })).finalMessage();
      const uses = message.content.filter((block) => block.type === "tool_use");
      const results = uses.map((use) => ({ type: "tool_result", tool_use_id: use.id, content: "sunny" }));
      const { content } = message;
      const messages = [{ role: "user", content: words.weather }, { role: "assistant", content }, { role: "user", content: results }];
      const answer = await client.messages.create({ model, max_tokens: 500, tools, messages });
      return { calls: uses.map((use) => [use.name, use.input]), finish: message.stop_reason, then: texts(answer) };
    },
    async thinking() {
      const message = await client.messages.stream(ask(words.think)).finalMessage();
      const thoughts = message.content.filter((block) => block.type === "thinking");
      return { thought: thoughts.map((block) => block.thinking).join(""), text: texts(message) };
    },
    async refused() {
      try {
        await client.messages.stream(ask(words.too_much)).finalMessage();
      } catch (error) {
        const refused = error instanceof Anthropic.BadRequestError;
        return { refused, status: error.status, said: error.message.includes("Too long for us.") };
      }
    },
  };
});

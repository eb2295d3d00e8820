// Speaks to a desk with the official client: `node client.mjs BASE_URL KEY`, prints what it got as JSON.
import OpenAI from "openai";

const [baseURL, apiKey] = process.argv.slice(2);
const client = new OpenAI({ baseURL, apiKey, maxRetries: 0 });
const ask = (content) => [{ role: "user", content }];
const tools = [
  { type: "function", function: { name: "weather", parameters: { type: "object", properties: { city: { type: "string" } } } } },
];

const whole = await client.chat.completions.create({ model: "scripted", messages: ask("Hello") });

const stream = await client.chat.completions.create({
  model: "scripted",
  messages: ask("Hello"),
  stream: true,
  stream_options: { include_usage: true },
});
let streamed = "";
let usage = null;
for await (const chunk of stream) {
  streamed += chunk.choices[0]?.delta?.content ?? "";
  usage = chunk.usage ?? usage;
}

const runner = client.chat.completions.stream({ model: "scripted", messages: ask("weather?"), tools });
const called = await runner.finalChatCompletion();

const desk = await client.chat.completions.create({ model: "frontdesk", messages: ask("When do you open?") });
const response = await client.responses.create({ model: "scripted", input: "Hello" });
const events = [];
for await (const event of await client.responses.create({ model: "frontdesk", input: "Hello", stream: true })) {
  events.push(event.type);
}

const embedding = await client.embeddings.create({ model: "counter", input: "two words" });
const models = [];
for await (const model of client.models.list()) models.push(model.id);

const refusals = {};
for (const [name, request] of Object.entries({
  unknown: () => client.chat.completions.create({ model: "gpt-9", messages: ask("Hello") }),
  wrong: () => client.chat.completions.create({ model: "scripted", messages: ask("Hello"), n: 3 }),
  stranger: () =>
    new OpenAI({ baseURL, apiKey: "nobody", maxRetries: 0 }).responses.create({ model: "scripted", input: "Hello" }),
})) {
  try {
    await request();
    refusals[name] = "answered";
  } catch (error) {
    refusals[name] = `${error.constructor.name} ${error.status} ${error.code}`;
  }
}

console.log(
  JSON.stringify({
    whole: whole.choices[0].message.content,
    streamed,
    usage: usage?.total_tokens,
    finish: called.choices[0].finish_reason,
    call: called.choices[0].message.tool_calls[0].function,
    desk: desk.choices[0].message.content,
    response: response.output_text,
    events: [events[0], events.at(-1)],
    embedding: embedding.data[0].embedding,
    models,
    refusals,
  }),
);

import type { Message } from "./contract";

/** A message of this moment that holds no more than what is said of it here. */
export const messageOf = (known: Pick<Message, "id" | "role"> & Partial<Message>): Message => ({
  parent_id: null,
  text: "",
  state: "complete",
  created_at: new Date().toISOString(),
  author: null,
  grounding: null,
  model: null,
  citations: [],
  tools: [],
  files: [],
  feedback: null,
  turn_id: null,
  error: null,
  can_leave_message: false,
  ...known,
});

import type { Message } from "./contract";

/** The messages from the start to `headId`, oldest first. */
export function branch(messages: readonly Message[], headId: string | null): Message[] {
  const byId = new Map(messages.map((message) => [message.id, message]));
  const path: Message[] = [];
  for (let at = byId.get(headId ?? ""); at && path.length <= messages.length; at = byId.get(at.parent_id ?? "")) path.push(at);
  return path.reverse();
}

/** The versions of a message: what follows the same message and has the same role, oldest first, itself among them. */
export const versions = (messages: readonly Message[], message: Pick<Message, "parent_id" | "role">): Message[] =>
  messages.filter((other) => other.parent_id === message.parent_id && other.role === message.role);

/** Where the branch through `id` ends, following the newest message each time. */
export function leaf(messages: readonly Message[], id: string): string {
  const children = new Map<string, string>();
  for (const message of messages) if (message.parent_id) children.set(message.parent_id, message.id);
  let end = id;
  for (let steps = 0; steps < messages.length; steps += 1) {
    const next = children.get(end);
    if (next === undefined) break;
    end = next;
  }
  return end;
}

export type Frame = { id: string; event: string; data: string };

/** The frames of a server-sent event stream. Comments (the server's pings) yield nothing. */
export async function* frames(body: ReadableStream<Uint8Array>): AsyncGenerator<Frame> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  let frame: Frame = { id: "", event: "", data: "" };
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const lines = (rest + decoder.decode(value, { stream: true })).split(/\r\n|\n|\r(?!$)/);
      rest = lines.pop() ?? "";
      for (const line of lines) {
        if (line) read(frame, line);
        else {
          if (frame.data) yield frame;
          frame = { id: "", event: "", data: "" };
        }
      }
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

function read(frame: Frame, line: string): void {
  const colon = line.indexOf(":");
  if (colon === 0) return;
  const name = colon < 0 ? line : line.slice(0, colon);
  const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
  if (name === "id") frame.id = value;
  else if (name === "event") frame.event = value;
  else if (name === "data") frame.data += (frame.data ? "\n" : "") + value;
}

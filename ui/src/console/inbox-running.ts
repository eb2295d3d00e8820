import { useEffect, useRef, useState } from "react";
import { resume } from "../stream/follow";
import { advance, newTurn, type Turn } from "../stream/turn";

/** The answer that the desk is writing, as it grows; null while it writes none. `onEnd` is told when it is whole. */
export function useRunningAnswer(turnId: string | null, onEnd: () => void): Turn | null {
  const [turn, setTurn] = useState<Turn | null>(null);
  const latest = useRef(onEnd);
  latest.current = onEnd;

  useEffect(() => {
    if (turnId === null) return undefined;
    const abort = new AbortController();
    let grown = newTurn();
    let painting = 0;
    const paint = (): void => {
      painting = 0;
      setTurn(grown);
    };
    setTurn(grown);
    const onEvent: Parameters<typeof resume>[2]["onEvent"] = (seq, event) => {
      grown = advance(grown, seq, event);
      painting ||= requestAnimationFrame(paint);
    };
    resume(turnId, 0, { onEvent, onCut: () => undefined, signal: abort.signal, root: "/api/v1/console/turns" })
      .then(() => !abort.signal.aborted && latest.current())
      .catch(() => undefined); // a turn that is gone: the conversation itself says how it ended
    return () => {
      abort.abort();
      cancelAnimationFrame(painting);
      setTurn(null);
    };
  }, [turnId]);

  return turn;
}

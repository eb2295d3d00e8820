import { useCallback, useEffect, useState } from "react";
import { call, troubleOf, type Trouble } from "./api";

export type Answer<T> = {
  value: T | null;
  /** Another path was asked for since `value` came: it does not show what is asked for now. */
  isOld: boolean;
  trouble: Trouble | null;
  loading: boolean;
  reload: () => void;
  set: (change: (value: T) => T) => void;
};

type Ask<T> = (path: string, how: { signal: AbortSignal }) => Promise<T>;

/**
 * What the desk answers to GET `path`; asked again when the path changes, the old value standing until then. `ask` puts
 * an answer together from several calls.
 */
export function useAnswer<T>(path: string | null, ask: Ask<T> = call): Answer<T> {
  const [value, setValue] = useState<T | null>(null);
  const [answered, setAnswered] = useState<string | null>(null);
  const [trouble, setTrouble] = useState<Trouble | null>(null);
  const [loading, setLoading] = useState(path !== null);
  const [round, setRound] = useState(0);

  useEffect(() => {
    if (path === null) return undefined;
    const abort = new AbortController();
    setLoading(true);
    ask(path, { signal: abort.signal })
      .then((answer) => {
        if (abort.signal.aborted) return;
        setValue(answer);
        setAnswered(path);
        setTrouble(null);
        setLoading(false);
      })
      .catch((reason: unknown) => {
        if (abort.signal.aborted) return;
        setTrouble(troubleOf(reason));
        setLoading(false);
      });
    return () => abort.abort();
  }, [path, round, ask]);

  const reload = useCallback(() => setRound((count) => count + 1), []);
  const set = useCallback((change: (value: T) => T) => setValue((old) => (old === null ? old : change(old))), []);
  return { value, isOld: value !== null && answered !== path, trouble, loading, reload, set };
}

import { useCallback, useEffect, useState } from "react";
import { call, query, troubleOf, type Trouble } from "../shared/api";
import type { Page } from "../shared/contract";

const SIZE_KEY = "frontdesk.console.lines";

export const SIZES = [25, 50, 100] as const;

/** How many lines a list shows at first; remembered. */
export function usePageSize(): [number, (size: number) => void] {
  const [size, setSize] = useState(() => Number(localStorage.getItem(SIZE_KEY)) || SIZES[0]);
  return [
    size,
    (next) => {
      localStorage.setItem(SIZE_KEY, String(next));
      setSize(next);
    },
  ];
}

export type List<T, P extends Page<T> = Page<T>> = {
  items: T[] | null;
  /** The newest page as it came, for what it says besides its items. */
  page: P | null;
  hasMore: boolean;
  trouble: Trouble | null;
  loading: boolean;
  more: () => void;
  reload: () => void;
};

/** A list of the desk, page after page. */
export function useList<T, P extends Page<T> = Page<T>>(
  path: string,
  params: Record<string, string | number | undefined>,
): List<T, P> {
  const [items, setItems] = useState<T[] | null>(null);
  const [page, setPage] = useState<P | null>(null);
  const [trouble, setTrouble] = useState<Trouble | null>(null);
  const [loading, setLoading] = useState(true);
  const [round, setRound] = useState(0);
  const first = path + query(params);

  const load = useCallback((address: string, before: T[], signal?: AbortSignal) => {
    setLoading(true);
    call<P>(address, signal ? { signal } : {})
      .then((found) => {
        if (signal?.aborted) return;
        setItems([...before, ...found.items]);
        setPage(found);
        setTrouble(null);
        setLoading(false);
      })
      .catch((reason: unknown) => {
        if (signal?.aborted) return;
        setTrouble(troubleOf(reason));
        setLoading(false);
      });
  }, []);

  useEffect(() => {
    const abort = new AbortController();
    load(first, [], abort.signal);
    return () => abort.abort();
  }, [first, round, load]);

  const reload = useCallback(() => setRound((count) => count + 1), []);
  const next = page?.next ?? null;
  return {
    items,
    page,
    hasMore: next !== null,
    trouble,
    loading,
    more: () => next !== null && load(path + query({ ...params, cursor: next }), items ?? []),
    reload,
  };
}

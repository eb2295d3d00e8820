import { useState } from "react";
import { troubleOf, type Trouble } from "../shared/api";
import { TroubleNote } from "../shared/parts";
import { words } from "./strings";

export type Act = { isBusy: boolean; isDone: boolean; trouble: Trouble | null; run: (work: () => Promise<unknown>) => Promise<boolean> };

/** One act of a section: whether it runs, has succeeded, or what went wrong. */
export function useAct(): Act {
  const [isBusy, setBusy] = useState(false);
  const [isDone, setDone] = useState(false);
  const [trouble, setTrouble] = useState<Trouble | null>(null);
  const run = async (work: () => Promise<unknown>): Promise<boolean> => {
    setBusy(true);
    setDone(false);
    setTrouble(null);
    try {
      await work();
      setDone(true);
      return true;
    } catch (reason) {
      setTrouble(troubleOf(reason));
      return false;
    } finally {
      setBusy(false);
    }
  };
  return { isBusy, isDone, trouble, run };
}

/** How an act went. The status stands from the start, so that a screen reader hears it change. */
export const Outcome = ({ act, done }: { act: Act; done: string }) => (
  <>
    {act.trouble && <TroubleNote trouble={act.trouble} words={words.trouble} />}
    <p className="small ok" role="status">
      {act.isDone && done}
    </p>
  </>
);

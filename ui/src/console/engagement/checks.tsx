import type { Check } from "./contract";
import { words } from "./strings";

/** What was found in the text that is shown; and, quietly, why another one was put aside for it. */
export function Checks({ checks, model }: { checks: Check[]; model: string | null }) {
  const shown = model === "template" || model === "person" ? model : "model";
  return (
    <>
      {checks.map((check) =>
        check.of === shown ? (
          <p key={`${check.rule} ${check.of}`} className={check.weight === "block" ? "bad" : "warn"}>
            {check.words}
          </p>
        ) : (
          <p key={`${check.rule} ${check.of}`} className="small muted">
            {words.putAside[check.of]} {check.words}
          </p>
        ),
      )}
    </>
  );
}

import type { Usage } from "../shared/contract";
import { Skeleton, TroubleNote } from "../shared/parts";
import { useAnswer } from "../shared/use-answer";
import { IconButton } from "./icons";
import { words } from "./strings";

const DAYS = 30;

/** What the reader has used, by day and model. */
export function UsageView({ onMenu }: { onMenu: () => void }) {
  const { value, trouble, loading, reload } = useAnswer<Usage>(`/api/v1/usage?days=${DAYS}`);
  const format = (count: number): string => count.toLocaleString(words.language);
  const total = value ? value.totals.prompt_tokens + value.totals.completion_tokens : 0;
  return (
    <main className="sheet" id="main">
      <header>
        <span className="only-narrow">
          <IconButton icon="menu" label={words.menu} onPress={onMenu} />
        </span>
        <h1>{words.usage}</h1>
      </header>
      {trouble && <TroubleNote trouble={trouble} words={words.trouble} onAgain={reload} />}
      {!value && loading && <Skeleton label={words.loading} />}
      {value && <p>{value.items.length ? words.usageIntro(format(total), DAYS) : words.usageNone}</p>}
      {value && value.items.length > 0 && (
        <div className="table-frame" tabIndex={0}>
          <table>
            <thead>
              <tr>
                <th>{words.day}</th>
                <th>{words.model}</th>
                <th data-align="end">{words.read}</th>
                <th data-align="end">{words.written}</th>
              </tr>
            </thead>
            <tbody>
              {value.items.map((line) => (
                <tr key={`${line.day} ${line.model}`}>
                  <td>{line.day}</td>
                  <td>{line.model}</td>
                  <td data-align="end">{format(line.prompt_tokens)}</td>
                  <td data-align="end">{format(line.completion_tokens)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </main>
  );
}

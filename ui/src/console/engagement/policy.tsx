import { ArrowLeft } from "lucide-react";
import { useAnswer } from "../../shared/use-answer";
import { DataTable } from "../data-table";
import { Link, Screen } from "../parts";
import { hrefOf } from "../route";
import { words as all } from "../strings";
import type { Policy, PolicyLine } from "./contract";
import { LINES } from "./policies";
import { words } from "./strings";

const text = words.policies;
const spread = (value: number, deviation: number): string => `${value.toFixed(3)} ± ${deviation.toFixed(3)}`;

/** One snapshot: its genes, what it believes, and where it came from. */
export function PolicyPage({ id }: { id: string }) {
  const path = `/api/v1/policies/${encodeURIComponent(id)}`;
  const { value, trouble, loading, reload } = useAnswer<Policy>(path);
  const line = useAnswer<{ items: PolicyLine[] }>(`${path}/lineage`);
  return (
    <Screen
      page="policies"
      sentence={value && text.one(text.origins[value.origin], value.generation, text.outcomes(value.outcomes))}
      trouble={trouble ?? line.trouble}
      loading={loading}
      onAgain={reload}
      acts={
        <Link href={hrefOf("policies")} className="button">
          <ArrowLeft size={18} strokeWidth={1.5} aria-hidden /> {text.back}
        </Link>
      }
    >
      {value && (
        <div className="story">
          <section>
            <h2>{text.beliefs}</h2>
            <p className="small muted">{text.beliefsNote}</p>
            <DataTable
              label={text.beliefs}
              columns={[
                { id: "feature", title: text.feature, value: (row) => row.feature },
                { id: "reward", title: text.reward, value: (row) => row.reward, show: (row) => spread(row.reward, row.reward_deviation), isNumber: true },
                { id: "harm", title: text.harm, value: (row) => row.harm, show: (row) => spread(row.harm, row.harm_deviation), isNumber: true },
              ]}
              rows={value.weights.map((one) => ({ ...one, id: one.feature }))}
              nameOf={(row) => row.feature}
              sort=""
              empty={all.none}
            />
          </section>
          <section>
            <h2>{text.genes}</h2>
            <DataTable
              label={text.genes}
              columns={[
                { id: "gene", title: text.gene, value: (row) => row.gene.replaceAll("_", " ") },
                { id: "setting", title: text.setting, value: (row) => row.setting, isNumber: true },
              ]}
              rows={Object.entries(value.genes).map(([gene, setting]) => ({ id: gene, gene, setting }))}
              nameOf={(row) => row.gene}
              sort=""
              empty={all.none}
            />
          </section>
          <section>
            <h2>{text.lineage}</h2>
            <DataTable
              label={text.lineage}
              columns={LINES}
              rows={line.value?.items ?? []}
              nameOf={(row) => row.id}
              sort=""
              empty={all.none}
            />
          </section>
        </div>
      )}
    </Screen>
  );
}

import { Tabs } from "radix-ui";
import type { ReactNode } from "react";
import { Choice } from "./parts";
import type { Route } from "./route";
import { words } from "./strings";

const text = words.figures;

/** The same figures as a picture and as lines: nobody depends on seeing the one or reading the other. */
export const ChartOrTable = ({ label, chart, table }: { label: string; chart: ReactNode; table: ReactNode }) => (
  <Tabs.Root defaultValue="chart">
    <Tabs.List className="tabs" aria-label={label}>
      <Tabs.Trigger value="chart">{text.chart}</Tabs.Trigger>
      <Tabs.Trigger value="table">{text.table}</Tabs.Trigger>
    </Tabs.List>
    <Tabs.Content value="chart">{chart}</Tabs.Content>
    <Tabs.Content value="table">{table}</Tabs.Content>
  </Tabs.Root>
);

const SPANS = ["7", "30", "90"].map((days): [string, string] => [days, days]);

/** How many days back the address asks for. */
export const daysOf = (route: Route): number => Number(route.params.get("days")) || 30;

export const Days = ({ days }: { days: number }) => (
  <Choice label={text.days} name="days" value={String(days)} options={SPANS} />
);

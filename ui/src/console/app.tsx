import {
  Activity,
  BookOpen,
  ChartColumn,
  Contact,
  Dna,
  GitBranch,
  Inbox,
  KeyRound,
  ListChecks,
  Mail,
  Menu,
  MessageSquareQuote,
  Scale,
  ScrollText,
  Send,
  Smile,
  Split,
  Stamp,
  Sun,
  Target,
  Users,
  Wrench,
  type LucideIcon,
} from "lucide-react";
import { lazy, Suspense, useEffect, useState, type ComponentType } from "react";
import { Bell, Skeleton } from "../shared/parts";
import { useAnswer } from "../shared/use-answer";
import type { Desk } from "../shared/contract";
import { AuditScreen } from "./audit";
import { CannedScreen } from "./canned";
import { InboxScreen } from "./inbox";
import { KeysScreen } from "./keys";
import { KnowledgeScreen } from "./knowledge";
import { MessagesScreen } from "./messages";
import { ModelsScreen } from "./models";
import { OverviewScreen } from "./overview";
import { Link } from "./parts";
import { PeopleScreen } from "./people";
import { hrefOf, useRoute, type Route } from "./route";
import { SatisfactionScreen } from "./satisfaction";
import { words, type PageName } from "./strings";
import { ToolsScreen } from "./tools";
import { UsageScreen } from "./usage";
import { WorkScreen } from "./work";

type Screens = [LucideIcon, ComponentType<{ route: Route }>];

/** Loaded when one is opened: most desks have no engagement. */
const DecisionsScreen = lazy(() => import("./engagement/decisions"));
const ApprovalsScreen = lazy(() => import("./engagement/approvals"));
const CustomersScreen = lazy(() => import("./engagement/customers"));
const OutboxScreen = lazy(() => import("./engagement/outbox"));
const PoliciesScreen = lazy(() => import("./engagement/policies"));
const EvolutionScreen = lazy(() => import("./engagement/evolution"));
const EvaluationScreen = lazy(() => import("./engagement/evaluation"));
const FairnessScreen = lazy(() => import("./engagement/fairness"));

const SCREENS: Record<PageName, Screens> = {
  overview: [Sun, OverviewScreen],
  inbox: [Inbox, InboxScreen],
  messages: [Mail, MessagesScreen],
  satisfaction: [Smile, SatisfactionScreen],
  canned: [MessageSquareQuote, CannedScreen],
  knowledge: [BookOpen, KnowledgeScreen],
  people: [Users, PeopleScreen],
  keys: [KeyRound, KeysScreen],
  tools: [Wrench, ToolsScreen],
  work: [ListChecks, WorkScreen],
  models: [Activity, ModelsScreen],
  usage: [ChartColumn, UsageScreen],
  audit: [ScrollText, AuditScreen],
  decisions: [Split, DecisionsScreen],
  approvals: [Stamp, ApprovalsScreen],
  customers: [Contact, CustomersScreen],
  outbox: [Send, OutboxScreen],
  policies: [GitBranch, PoliciesScreen],
  evolution: [Dna, EvolutionScreen],
  evaluation: [Target, EvaluationScreen],
  fairness: [Scale, FairnessScreen],
};

const OF_ENGAGEMENT: readonly PageName[] = [
  "decisions",
  "approvals",
  "customers",
  "outbox",
  "policies",
  "evolution",
  "evaluation",
  "fairness",
];
const OF_THE_DESK = (Object.keys(SCREENS) as PageName[]).filter((page) => page !== "overview" && !OF_ENGAGEMENT.includes(page));

export function App() {
  const route = useRoute();
  const desk = useAnswer<Desk>("/api/v1/desk");
  const [isMenuOpen, setMenuOpen] = useState(false);
  const [, Current] = SCREENS[route.page];
  useEffect(() => setMenuOpen(false), [route]);
  useEffect(() => {
    const press = (event: KeyboardEvent): void => {
      if (event.key === "Escape") setMenuOpen(false);
    };
    document.addEventListener("keydown", press);
    return () => document.removeEventListener("keydown", press);
  }, []);
  return (
    <div className="console">
      <a className="skip" href="#main">
        {words.skip}
      </a>
      <nav className="pages" aria-label={words.menu}>
        <div className="brand">
          <Bell size={26} />
          <span>{desk.value?.name ?? "Frontdesk"}</span>
          <button
            type="button"
            className="icon-button only-narrow"
            aria-label={words.menu}
            aria-expanded={isMenuOpen}
            onClick={() => setMenuOpen(!isMenuOpen)}
          >
            <Menu size={20} strokeWidth={1.5} aria-hidden />
          </button>
        </div>
        <ul className="plain" data-open={isMenuOpen}>
          <PageLink page="overview" isHere={route.page === "overview"} />
          {desk.value?.engagement && (
            <li className="group">
              <p className="label" id="pages-engagement">
                {words.engagement}
              </p>
              <ul className="plain" aria-labelledby="pages-engagement">
                {OF_ENGAGEMENT.map((page) => (
                  <PageLink key={page} page={page} isHere={page === route.page} />
                ))}
              </ul>
            </li>
          )}
          {OF_THE_DESK.map((page) => (
            <PageLink key={page} page={page} isHere={page === route.page} />
          ))}
          <li className="to-chat">
            <a href="/">{words.toChat}</a>
          </li>
        </ul>
      </nav>
      <main id="main" tabIndex={-1}>
        <Suspense fallback={<Skeleton label={words.loading} lines={7} />}>
          <Current key={route.page} route={route} />
        </Suspense>
      </main>
    </div>
  );
}

function PageLink({ page, isHere }: { page: PageName; isHere: boolean }) {
  const [Icon] = SCREENS[page];
  return (
    <li>
      <Link href={hrefOf(page)} aria-current={isHere ? "page" : undefined}>
        <Icon size={20} strokeWidth={1.5} aria-hidden /> {words.pages[page]}
      </Link>
    </li>
  );
}

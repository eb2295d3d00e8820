import {
  Activity,
  BookOpen,
  ChartColumn,
  Inbox,
  KeyRound,
  ListChecks,
  Mail,
  Menu,
  MessageSquareQuote,
  ScrollText,
  Smile,
  Sun,
  Users,
  Wrench,
  type LucideIcon,
} from "lucide-react";
import { useEffect, useState, type ComponentType } from "react";
import { Bell } from "../shared/parts";
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

const SCREENS: Record<PageName, [LucideIcon, ComponentType<{ route: Route }>]> = {
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
};

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
          {Object.entries(SCREENS).map(([page, [Icon]]) => (
            <li key={page}>
              <Link href={hrefOf(page as PageName)} aria-current={page === route.page ? "page" : undefined}>
                <Icon size={20} strokeWidth={1.5} aria-hidden /> {words.pages[page as PageName]}
              </Link>
            </li>
          ))}
          <li className="to-chat">
            <a href="/">{words.toChat}</a>
          </li>
        </ul>
      </nav>
      <main id="main" tabIndex={-1}>
        <Current key={route.page} route={route} />
      </main>
    </div>
  );
}

import { useState } from "react";
import { call, troubleOf, type Trouble } from "../shared/api";
import { useAnswer } from "../shared/use-answer";
import type { Server, Tool } from "./contract";
import { Screen } from "./parts";
import type { Route } from "./route";
import { words } from "./strings";

const text = words.tools;

export function ToolsScreen(_: { route: Route }) {
  const { value, trouble, loading, reload } = useAnswer<{ servers: Server[] }>("/api/v1/tools");
  const [failure, setFailure] = useState<Trouble | null>(null);
  const tools = value?.servers.flatMap((server) => server.tools) ?? [];
  const waiting = tools.filter((tool) => tool.state === "new" || tool.state === "changed");
  const rule = async (tool: Tool, body: object): Promise<void> => {
    try {
      await call(`/api/v1/tools/${tool.name}`, { method: "POST", body });
      setFailure(null);
    } catch (reason) {
      setFailure(troubleOf(reason));
    }
    reload();
  };
  return (
    <Screen
      page="tools"
      sentence={value && text.sentence(waiting.length, tools.length)}
      trouble={failure ?? trouble}
      loading={loading}
      onAgain={() => {
        setFailure(null);
        reload();
      }}
    >
      {tools.length === 0 && <p className="empty">{text.none}</p>}
      {value?.servers.map((server) => (
        <section key={server.url} className="server">
          <h2>{server.name || server.url}</h2>
          {server.name && <p className="small muted">{server.url}</p>}
          <p className={server.state === "up" ? "small ok" : isUnseen(server) ? "small muted" : "small bad"}>
            {isUnseen(server) ? text.unseen : text.servers[server.state]}
            {server.problem && `: ${server.problem}`}
          </p>
          <ul className="plain lines">
            {server.tools.map((tool) => (
              <ToolItem key={tool.name} tool={tool} onRule={(body) => void rule(tool, body)} />
            ))}
          </ul>
        </section>
      ))}
    </Screen>
  );
}

/** Whether nothing has ever answered at this address: that is no trouble, it is where a server would be found. */
const isUnseen = (server: Server): boolean => server.state === "down" && !server.name;

function ToolItem({ tool, onRule }: { tool: Tool; onRule: (body: object) => void }) {
  const isWaiting = tool.state === "new" || tool.state === "changed";
  return (
    <li>
      <div>
        <p>
          <code>{tool.name}</code> <span className={isWaiting ? "small warn" : "small muted"}>{text.states[tool.state]}</span>
        </p>
        <p className="as-written">{tool.description}</p>
        <details className="small">
          <summary>{text.arguments}</summary>
          <pre tabIndex={0}>{JSON.stringify(tool.parameters, null, 2)}</pre>
        </details>
      </div>
      <div className="row">
        <label className="choice">
          <input
            type="checkbox"
            checked={tool.needs_approval}
            onChange={(event) => onRule({ needs_approval: event.currentTarget.checked })}
          />
          {text.ask}
        </label>
        {tool.state !== "approved" && (
          <button type="button" className="button main" onClick={() => onRule({ state: "approved", digest: tool.digest })}>
            {text.approve}
          </button>
        )}
        {tool.state !== "disabled" && (
          <button type="button" className="button" onClick={() => onRule({ state: "disabled" })}>
            {text.disable}
          </button>
        )}
      </div>
    </li>
  );
}

import { Screen } from "../parts";
import type { Route } from "../route";

export default function TheScreen(_: { route: Route }) {
  return (
    <Screen page="fairness" sentence="" trouble={null} loading={false} onAgain={() => undefined}>
      <p />
    </Screen>
  );
}

import { Modal } from "./parts";
import { words } from "./strings";

export const InboxKeys = ({ isOpen, onClose }: { isOpen: boolean; onClose: () => void }) => (
  <Modal title={words.inbox.keys} isOpen={isOpen} onClose={onClose}>
    <dl className="inbox-keys">
      {words.inbox.keyList.map(([keys, meaning]) => (
        <div key={keys}>
          <dt>
            {keys.split(" ").map((key) => (
              <kbd key={key}>{key}</kbd>
            ))}
          </dt>
          <dd>{meaning}</dd>
        </div>
      ))}
    </dl>
  </Modal>
);

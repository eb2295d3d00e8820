"""What the bot says on its own. Replies come from the desk; these are notices about the chat itself."""

COMMANDS = (
    ("help", "What I can do"),
    ("reset", "Begin a new conversation"),
    ("export", "Send me everything you keep about me"),
    ("forget", "Erase everything about me"),
    ("typing", "on or off: show me that you type"),
    ("link", "Connect this chat with my account"),
)

HELP = """\
Write to me as you would to a person. You can also send documents, pictures and voice notes.

/reset begins a new conversation
/export sends you everything that is kept about you
/forget erases all of it
/typing off lets my replies come at once, /typing on shows me typing again
/link connects this chat with your account: it gives you a code, or takes one as /link CODE"""
HELP_IN_GROUP = "Name me, reply to me or send me a command, and I answer here. /help says more in a chat with me alone."

NEW_CONVERSATION = "This is a new conversation. What was said before is over."
HELD = "Somebody of the team is talking with you here just now. Ask again when they are done."
TYPING_ON = "I show you that I type again."
TYPING_OFF = "My replies come at once now."
TYPING_HOW = "Write /typing on or /typing off."
UNKNOWN_COMMAND = "I don't know this command. /help tells those that I know."
ONLY_ALONE = "I do this in a chat with me alone, not in a group."

EXPORTED = "This is everything that is kept about you."
EXPORT_UNCLEAR = "I sent you everything that is kept about you, and don't know if it came. If not, send /export again."
EXPORT_TOO_LARGE = "What is kept about you is too large for Telegram. Get it on your account page, or ask the team."
FORGET_SURE = (
    "This erases everything that is kept about you: conversations, files, memories. There is no way back. Are you sure?"
)
FORGET_YES, FORGET_NO = "Erase everything", "Keep it"
FORGOTTEN = "Everything about you has been erased."
FORGET_KEPT = "Nothing was erased."
FORGET_LATE = "This question is too old. Send /forget again."
FORGET_OWNER = "You are the last owner of this desk, so you cannot be erased. Make somebody else an owner first."

LINK_CODE = (
    "Your code is {code}. Enter it on your account page, or send /link {code} on your other channel, before "
    "{time} UTC. Give it to nobody else: whoever has it becomes you."
)
LINKED = "Your channels are connected: I know you as one person now."

TOO_FAST = "You write faster than I can read. I go on in a minute; please send the rest again then."
TOO_LONG = "This message is too long for me. Please send it as a document, or in parts."
NOTHING_TO_READ = "I can read text, pictures, documents and voice notes, but not this. Please write it to me in words."
NO_PICTURES = "I cannot see pictures here. Please describe in words what it shows."
NO_VOICE = "I cannot listen to voice notes or recordings here. Please write it to me in words."
NO_VIDEO = "I cannot watch videos. Please tell me in words what it is about."
NO_SUCH_DOCUMENT = "I cannot read this kind of document. I can read: {kinds}."
TOO_LARGE = "This file is too large for me. The largest that I can take has {megabytes} MB."
NOT_FETCHED = "Telegram does not hand me this file any more. Please send it again."
NOTHING_HEARD = "I could not make out any words in this recording. Please write it to me."
FAILED = "Something went wrong here with your message, and I could not take it. Please send it again."

A_PICTURE = "(a picture)"
A_FILE = "(a file: {name})"
EDITED = "(edited) {text}"

THANKS_UP, THANKS_DOWN = "Thank you!", "Thank you. I will try to do better."
THANKS_SCORE = "Thank you for telling us."
PRESS_TOO_OLD = "This button is too old."

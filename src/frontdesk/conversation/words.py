"""The desk's own sentences. A page shows them as notices, never as a model's answer."""

UNKNOWN = "I don't know. I found nothing about that in what I have been given to read, so I would only be guessing."
UNKNOWN_OFFER = "You can leave a message, and a person will read it."
REMEMBERED = "I'll remember that: {fact}"
TOLD_ME = "You told me: “{fact}”"
STOPPED_BY_TIME = "This took too long, so I stopped here. Please ask again."
NOTHING_SAID = "I found no words for an answer. Please ask again, perhaps in another way."
BROKEN = "Something broke while I was answering"
GIVEN_UP = "I could not answer this, although I tried several times"
ASK_AGAIN = "Please ask again."
APPROVAL_DENIED = "A person did not approve this call."
APPROVAL_EXPIRED = "Nobody approved this call in time."
NO_IMAGES = "(An image is attached that this model cannot see.)"
UNREADABLE = "(A file is attached that could not be read: {reason})"
SMALL_MODEL = (
    "You are a small model on the owner's own machine. Chat kindly in one to three short sentences. "
    "Do not state facts about the owner, prices, dates or people: you do not know them."
)

"""Whether somebody asks for a person, in a few languages.

A plain rule that anybody can read: a wish, a few small words, and a word for a human being who answers. It errs on the
side of silence: a flag costs an operator's look, and whoever is missed can still leave a message.
"""

import re

WISHES = (
    "talk|speak|chat|connect me|put me through|transfer me|switch me|get me|give me|i want|i need|can i have|is there|"
    "sprechen|reden|verbinden?(?: sie)?(?: mich)?|ich (?:will|möchte|brauche)|kann ich|gibt es|"
    "hablar|comunicar(?:me)?|p[aá]same|p[aá]seme|quiero|necesito|"
    "parler|passez-moi|je (?:veux|voudrais)|"
    "parlare|passatemi|voglio|vorrei|"
    "falar|quero|preciso|"
    "spreken|praten|ik wil|"
    "rozmawiać|porozmawiać|chcę|"
    "поговорить|соедините|позовите|нужен"
)
SMALL_WORDS = (
    "to|with|a|an|the|your|some|one|of|any|here|please|directly|mit|zu|an|einem|einer|einen|ein|eine|bitte|lieber|"
    "direkt|con|una|un|uno|por|favor|avec|à|une|com|uma|um|met|een|z|ze|с|со|talk|speak|hablar|parler|parlare|falar|"
    "me|mich|меня"
)
HUMANS = (
    "human(?: being| agent)?s?|real (?:person|human|agent|people)|live (?:agent|person)|person|agent|operator|"
    "representative|employee|somebody real|someone real|"
    "echten? menschen|mensch(?:en)?|mitarbeiter(?:in)?|kundenberater(?:in)?|"
    "persona(?: real)?|humano|agente|operador(?:a)?|"
    "humain|vraie personne|personne|conseill(?:er|ère)|"
    "persona vera|operatore|umano|pessoa|atendente|"
    "mens|medewerker|człowiekiem|konsultantem|человеком|человека|человек|оператором|оператора|оператор"
)
ASKS = re.compile(rf"\b(?:{WISHES})(?:\s+(?:{SMALL_WORDS}))*\s+(?:{HUMANS})\b", re.IGNORECASE)
ALONE = re.compile(
    rf"^\W*(?:(?:{SMALL_WORDS})\s+)*(?:{HUMANS})(?:\W+(?:please|bitte|now|por favor))?\W*$", re.IGNORECASE
)
DECLINES = re.compile(r"\b(?:don'?t|do not|no need to|without|rather not|nicht|kein\w*|no quiero|pas)\b", re.IGNORECASE)
LONGEST = 400  # characters: nobody hides such a wish in an essay


def wants_person(text: str) -> bool:
    """Whether the message asks for a human being."""
    return len(text) <= LONGEST and not DECLINES.search(text) and bool(ALONE.match(text) or ASKS.search(text))

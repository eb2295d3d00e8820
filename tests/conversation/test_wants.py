"""Who asks for a human being, and who only speaks of one."""

import pytest

from frontdesk.conversation.wants import wants_person


@pytest.mark.parametrize(
    "text",
    [
        "I want to talk to a human",
        "Can I speak with a real person please?",
        "human",
        "Agent, please",
        "Please connect me to an operator.",
        "Ich möchte mit einem Menschen sprechen",
        "Kann ich mit einem Mitarbeiter reden?",
        "Quiero hablar con una persona",
        "Je voudrais parler à un conseiller",
        "Vorrei parlare con un operatore",
        "Quero falar com um atendente",
        "Ik wil een medewerker spreken",
        "Chcę rozmawiać z konsultantem",
        "Хочу поговорить с оператором",
        "Соедините меня с человеком",
    ],
)
def test_a_wish_for_a_person_is_noticed_in_many_languages(text: str) -> None:
    assert wants_person(text)


@pytest.mark.parametrize(
    "text",
    [
        "When do you open?",
        "A table for one person, please",
        "Quiero una mesa para una persona",
        "How much is it per person?",
        "Are you a human?",
        "Is the agent framework open source?",
        "I do not want to talk to a human",
        "Ich möchte nicht mit einem Menschen sprechen",
        "Tell me about human rights",
        "I want a haircut",
        "talk to a human " * 100,
    ],
)
def test_speaking_of_people_is_no_wish_for_one(text: str) -> None:
    assert not wants_person(text)

"""What the model is asked about one sample: the protocol's prompt with the query in it."""

from __future__ import annotations

from vtg_eval.protocol import PromptRule

PLACE = "{query}"


def written(query: str, rule: PromptRule) -> str:
    """Return the query as the rule writes it.

    "sentence" is TimeLens' rule: white space collapsed, full stops at the ends cut;
    "lower-sentence" is VTimeLLM's: lower case besides.
    """
    match rule.query:
        case "as-is":
            return query
        case "sentence":
            return " ".join(query.split()).strip(".").strip()
        case "lower-sentence":
            return " ".join(query.lower().split()).strip(".").strip()


def question(query: str, rule: PromptRule) -> str:
    """Return the prompt's text around a query that is already `written`."""
    return rule.text.replace(PLACE, query)

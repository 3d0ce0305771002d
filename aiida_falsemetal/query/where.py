"""A condition on rows: text to a tree, and the tree's answer to a row. Nothing of the text is ever run.

    or      = and ("or" and)*
    and     = not ("and" not)*
    not     = "not" not | "(" or ")" | test
    test    = column [ ("=" | "!=" | "<" | "<=" | ">" | ">=") (value | column)
            | ["not"] "like" text | ["not"] "in" "(" value ("," value)* ")" | "is" ["not"] "null" ]
    value   = number | text in quotes | "true" | "false"

A column alone must hold true or false. A comparison with a missing value is neither true nor false, as in SQL, and
``not`` leaves it so; a row counts where the whole condition is true.
"""

from __future__ import annotations

from .columns import EXAMPLE, NUMBER, PLURAL, TEXT, TRUTH, Kinds, described, kind_of, unknown_column
from .tokens import KEYWORDS, OPERATORS, QueryError, Token, fault, tokenize
from .tree import All, Column, Compare, Condition, Either, In, IsNull, Like, Literal, Not, Truth

DEEPEST = 50
"""Brackets and ``not`` inside each other: beyond, Python's own stack would be the limit."""


def parse(text: str, kinds: Kinds) -> Condition:
    """The condition that ``text`` says.

    :param kinds: what every column holds.
    :raises QueryError: naming the place, the token and the remedy.
    """
    if not text.strip():
        raise QueryError("where: the condition is empty; leave it out, or write one, as gap < 0.5.")
    try:
        return _Parser(tokenize(text), kinds).whole()
    except QueryError as error:
        raise QueryError(f"where: {error}.") from None


class _Parser:
    """Recursive descent: a method a rule of the grammar."""

    def __init__(self, tokens: list[Token], kinds: Kinds) -> None:
        self._tokens, self._kinds = tokens, kinds
        self._next, self._depth = 0, 0

    def whole(self) -> Condition:
        """All of the text."""
        found = self._or()
        if self._ahead.kind != "end":
            remedy = "there is no ( for it" if self._ahead.kind == ")" else "write and or or before it"
            raise fault(self._ahead, f"does not belong here, after a complete condition; {remedy}")
        return found

    @property
    def _ahead(self) -> Token:
        return self._tokens[self._next]

    def _take(self) -> Token:
        token = self._ahead
        self._next += token.kind != "end"
        return token

    def _takes(self, kind: str) -> bool:
        """Take the next token if it is of this kind."""
        if self._ahead.kind != kind:
            return False
        self._take()
        return True

    def _or(self) -> Condition:
        parts = [self._and()]
        while self._takes("or"):
            parts.append(self._and())
        return parts[0] if len(parts) == 1 else Either(tuple(parts))

    def _and(self) -> Condition:
        parts = [self._not()]
        while self._takes("and"):
            parts.append(self._not())
        return parts[0] if len(parts) == 1 else All(tuple(parts))

    def _not(self) -> Condition:
        token = self._ahead
        if token.kind not in ("not", "("):
            return self._test()
        if self._depth == DEEPEST:
            raise fault(token, f"is nested deeper than {DEEPEST} levels; write the condition flatter")
        self._depth += 1
        self._take()
        found: Condition
        if token.kind == "not":
            found = Not(self._not())
        else:
            found = self._or()
            if not self._takes(")"):
                raise fault(self._ahead, f"the ( of character {token.place} is not closed; write ) here")
        self._depth -= 1
        return found

    def _test(self) -> Condition:
        column = self._column(self._take())
        token = self._ahead
        if token.kind in OPERATORS:
            return self._comparison(column, self._take())
        if token.kind == "is":
            return self._null(column)
        negated = self._takes("not")
        if self._ahead.kind in ("like", "in"):
            found = self._like(column) if self._take().kind == "like" else self._in(column)
            return Not(found) if negated else found
        if negated:
            raise fault(self._ahead, "after a column, not goes before like or in")
        return self._alone(column, token)

    def _column(self, token: Token) -> Column:
        if token.kind == "name":
            if token.text not in self._kinds:
                raise fault(token, unknown_column(token.text, self._kinds))
            return Column(token.text)
        if token.kind in ("number", "text", "true", "false", "null"):
            raise fault(token, "a value stands where a column should; write the column first, as gap < 0.5")
        raise fault(token, "a column should stand here, as in gap < 0.5")

    def _alone(self, column: Column, token: Token) -> Condition:
        """A column without an operator: true or false by itself."""
        if TRUTH in self._kinds[column.name] and token.kind in ("and", "or", ")", "end"):
            return Truth(column)
        held = described(self._kinds[column.name])
        raise fault(
            token,
            f"after {column.name}, which holds {held}, an operator should stand: = != < <= > >= like in is",
        )

    def _comparison(self, column: Column, operator: Token) -> Condition:
        token = self._take()
        if token.kind == "null":
            negation = "not " if operator.kind == "!=" else ""
            raise fault(token, f"nothing compares with null; write {column.name} is {negation}null")
        if token.kind == "name" and token.text in self._kinds:
            return self._columns(column, operator, token)
        value = self._value(token, column)
        if operator.kind not in ("=", "!=") and kind_of(value.value) == TRUTH:
            raise fault(operator, f"true and false have no order; write {column.name} = {token.text}")
        return Compare(column, operator.kind, value)

    def _columns(self, column: Column, operator: Token, token: Token) -> Condition:
        """A column beside a column."""
        left, right = self._kinds[column.name], self._kinds[token.text]
        allowed = {NUMBER, TEXT} if operator.kind not in ("=", "!=") else {NUMBER, TEXT, TRUTH}
        if not left & right & allowed:
            raise fault(
                token,
                f"holds {described(right)} and {column.name} holds {described(left)}, which {operator.kind} cannot "
                "compare; compare numbers with numbers and texts with texts",
            )
        return Compare(column, operator.kind, Column(token.text))

    def _value(self, token: Token, column: Column) -> Literal:
        """A value that the column can hold."""
        if token.kind == "name":
            near = unknown_column(token.text, self._kinds)
            raise fault(token, f"a text stands in quotes, '{token.text}'; without them it {near}")
        if token.kind not in ("number", "text", "true", "false"):
            word = "is a word of the grammar; " if token.kind in KEYWORDS else ""
            raise fault(token, f"{word}a number, a text in quotes, true or false should stand here")
        value = token.value if token.kind in ("number", "text") else token.kind == "true"
        kind, held = kind_of(value), self._kinds[column.name]
        if kind is not None and kind not in held:
            remedy = next((f"{column.name} = {EXAMPLE[k]}" for k in (NUMBER, TEXT, TRUTH) if k in held), None)
            ask = f"write it as {remedy}" if remedy else f"only {column.name} is null can be asked"
            raise fault(token, f"is of another type ({PLURAL[kind]}) than {column.name}, {described(held)}; {ask}")
        return Literal(value)

    def _null(self, column: Column) -> Condition:
        self._take()
        negated = self._takes("not")
        if not self._takes("null"):
            raise fault(self._ahead, f"after is, null or not null should stand; for a value write {column.name} = ...")
        found = IsNull(column)
        return Not(found) if negated else found

    def _like(self, column: Column) -> Condition:
        token = self._take()
        if TEXT not in self._kinds[column.name]:
            held = described(self._kinds[column.name])
            raise fault(token, f"like is for texts, and {column.name} holds {held}; use = != < <= > >=")
        if token.kind != "text":
            raise fault(token, "after like, a text in quotes should stand, in which % is any text and _ any character")
        return Like(column, str(token.value))

    def _in(self, column: Column) -> Condition:
        if not self._takes("("):
            raise fault(self._ahead, f"after in, values in brackets should stand, as {column.name} in (..., ...)")
        values = []
        while True:
            token = self._take()
            if token.kind == "null":
                raise fault(token, f"nothing equals null; write or {column.name} is null after the brackets")
            values.append(self._value(token, column).value)
            if self._takes(")"):
                return In(column, tuple(values))
            if not self._takes(","):
                raise fault(self._ahead, "in the brackets after in, a comma or ) should stand here")

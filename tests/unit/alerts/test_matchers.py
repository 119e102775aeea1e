"""Alertmanager's matcher syntax, both ways."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roundsman.alerts.matchers import (
    Matcher,
    MatcherError,
    Operator,
    from_maps,
    in_order,
    matches_all,
    parse,
    parse_all,
    text_of,
)

CLASSIC_NAMES = st.from_regex(r"[a-zA-Z_:][a-zA-Z0-9_:]*", fullmatch=True)
TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("foo=bar", '{foo="bar"}'),
        ('{foo = "bar", dings != "bums", }', '{foo="bar",dings!="bums"}'),
        ("a=", '{a=""}'),
        ("a=b c", '{a="b c"}'),
        ("severity=~warning|critical", '{severity=~"warning|critical"}'),
        (r'foo=~"\d+"', r'{foo=~"\\d+"}'),
        (r'{quote="She said: \"Hi, ladies!\""}', r'{quote="She said: \"Hi, ladies!\""}'),
        (r'line="one\ntwo"', r'{line="one\ntwo"}'),
        (r"path=C:\new\\old", r'{path="C:\new\\old"}'),
        ("end=\\", r'{end="\\"}'),
        ('"a b"="c"', '{"a b"="c"}'),
        ('{"a b"=c, föö!~"x|y"}', '{"a b"="c",föö!~"x|y"}'),
        ("", "{}"),
        ("{}", "{}"),
    ],
)
def test_texts(text: str, canonical: str) -> None:
    assert text_of(parse(text)) == canonical


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("foo", "'foo' is not a matcher"),
        ("a=b, foo", "'foo' is not a matcher"),
        ("a=b,,c=d", "'' is not a matcher"),
        ("=b", "'=b' is not a matcher"),
        ('foo="bar', "'foo=\"bar': the quotes do not match"),
        ('a=b"c', "'a=b\"c': the quotes do not match"),
        ('a=b,foo=~"a("', 'foo=~"a(": missing )'),
        ('foo=~"(?=x)"', 'foo=~"(?=x)": invalid perl operator'),
        ('""="x"', '""="x" names no label'),
        ('{"a b"="c"', "is not a matcher"),
        ('"a b"="c" "d"', "is not a matcher"),
    ],
)
def test_faults_name_the_text(text: str, named: str) -> None:
    with pytest.raises(MatcherError) as raised:
        parse(text)
    assert named in str(raised.value)


def test_what_matches() -> None:
    web = {"host": "web1", "team": "shop"}
    for text, matching in {
        "host=web1": True,
        "host=web": False,
        "host!=web1": False,
        "host=~web": False,  # anchored at both ends
        "host=~web.": True,
        "host=~db|web1": True,
        "host!~web.": False,
        "host!~db.*": True,
        "severity=": True,  # missing is empty
        "severity!=": False,
        "severity=~.*": True,
        "severity=~.+": False,
        "severity!=critical": True,
        "host=web1,team=db": False,
    }.items():
        assert matches_all(parse(text), web) is matching, text


def test_a_dot_is_no_newline_and_bytes_of_old_file_systems_do_no_harm() -> None:
    assert not matches_all(parse("a=~.*"), {"a": "x\ny"})
    assert matches_all(parse("a=~.*"), {"a": "x\udc80y"})


def test_lists_and_deprecated_maps_are_sorted_alike() -> None:
    listed = parse_all(['b="2"', '{c=~"x|y", a="1"}'])
    assert text_of(listed) == '{a="1",b="2",c=~"x|y"}'
    assert text_of(from_maps({"b": "2", "a": "1"}, {"c": "x|y"})) == '{a="1",b="2",c=~"^(?:x|y)$"}'


@given(
    st.lists(
        st.builds(Matcher, CLASSIC_NAMES | TEXTS.filter(bool), st.sampled_from(["=", "!="]).map(Operator), TEXTS),
        max_size=4,
    )
)
def test_canonical_text_parses_to_the_same(matchers: list[Matcher]) -> None:
    assert parse(text_of(matchers)) == tuple(matchers)
    assert in_order(reversed(matchers)) == in_order(matchers)


@given(TEXTS | st.text('{}=!~,"\\ab \n', max_size=12))
def test_every_text_is_matchers_or_a_fault(text: str) -> None:
    try:
        found = parse(text)
    except MatcherError:
        return
    assert parse(text_of(found)) == found

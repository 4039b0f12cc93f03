"""The journey definition: what a file may say, what it changes, and what is said of its mistakes."""

import tomllib
from typing import Any

import pytest

from schemas.touchpoint import FACT_TYPES, TYPES
from streams.definition import Definition, DefinitionError, default, load, of
from streams.definition.load import default_text
from streams.definition.model import ROLES
from streams.definition.places import Path, places

NAMES = ["awareness", "consideration", "evaluation", "purchase", "experience", "loyalty"]


def loaded(text: str = "") -> Definition:
    return load(text, "my.toml")


def problems(text: str) -> list[str]:
    with pytest.raises(DefinitionError) as raised:
        loaded(text)
    assert str(raised.value).splitlines() == raised.value.problems  # one line each
    return raised.value.problems


# ---- the default


def test_the_default_says_what_the_rules_say():
    rules = default()
    assert [stage.name for stage in rules.stages] == NAMES
    assert rules.journey.gap_days == 180
    assert (rules.score.half_life_days, rules.score.most_a_day) == (14, 40)
    assert rules.score.points["quote_requested"] == 25
    assert "email_opened" not in rules.score.points
    assert rules.roles.weights == {"decider": 1.5, "buyer": 1.3, "influencer": 1.2, "gatekeeper": 0.8}
    assert [group[0] for group in rules.roles.required["loyalty"]] == ["user", "buyer", "decider"]
    assert rules.crossings.ignore == ("home", "contact")
    shelf = {(fact.entity, fact.attribute): fact.shelf_days for fact in rules.facts}
    assert (shelf["contact", "job_title"], shelf["account", "vat_number"]) == (730, None)
    assert shelf["account", "budget"] == shelf["account", "timing"] == shelf["account", "intention"] == 90
    assert len(rules.actions) >= 15
    assert default() is default()
    assert loaded() == default()


def test_a_next_action_is_there_for_every_stage_and_status():
    for name in NAMES:
        assert any(
            rule.stages == (name,) and not rule.missing and not rule.statuses for rule in default().actions
        )
        assert any(name in rule.stages and "silent" in rule.statuses for rule in default().actions)


def test_a_step_follows_what_it_is_told_else_the_default():
    other = loaded("journey.gap_days = 90")
    assert of({"definition": other}) is other
    assert of({}) is default()


# ---- laying a file over the default


def test_tables_merge_key_by_key():
    changed = loaded(
        "[score]\nhalf_life_days = 7\n[score.points]\npage_viewed = 2\n[roles.weights]\nuser = 1.1\n"
    )
    assert (changed.score.half_life_days, changed.score.most_a_day) == (7, 40)
    assert changed.score.points == {**default().score.points, "page_viewed": 2}
    assert changed.roles.weights == {**default().roles.weights, "user": 1.1}
    assert changed.stages == default().stages


def test_lists_and_double_brackets_replace():
    moment = '[[moments]]\nname = "demo"\nmeaning = "m"\ntypes = ["demo_requested"]\n'
    changed = loaded(f'[crossings]\nignore = ["news"]\n{moment}')
    assert changed.crossings.ignore == ("news",)
    assert [moment.name for moment in changed.moments] == ["demo"]
    assert loaded("actions = []").actions == ()


def test_a_fact_merges_and_a_new_one_is_added():
    changed = loaded(
        '[facts.contact.job_title]\nshelf_days = "for ever"\n'
        "[facts.account.machines]\nshelf_days = 365\nvalue = 3\n"
    )
    facts = {(fact.entity, fact.attribute): fact for fact in changed.facts}
    before = next(f for f in default().facts if (f.entity, f.attribute) == ("contact", "job_title"))
    after = facts["contact", "job_title"]
    assert (after.shelf_days, after.question, after.value) == (None, before.question, before.value)
    assert facts["account", "machines"].value == 3
    assert len(changed.facts) == len(default().facts) + 1


def test_what_means_nothing_is_taken_out():
    changed = loaded(
        "[score.points]\npage_viewed = 0\n[roles.required]\nloyalty = []\n"
        '[roles.behaviour]\nfaq_viewed = "none"\n[roles.topics]\nterms = "none"\n'
    )
    assert "page_viewed" not in changed.score.points
    assert "loyalty" not in changed.roles.required
    assert "faq_viewed" not in changed.roles.behaviour
    assert changed.roles.topics == {}


def test_groups_of_types_are_written_out():
    assert default().stages[3].clauses[0].types == ("order_placed", "subscription_started")
    changed = loaded('[journey]\norders = ["order_placed"]\n')
    assert changed.stages[3].clauses[0].types == ("order_placed",)
    assert {m.name: m.types for m in changed.moments}["first_order"] == ("order_placed",)


OWN_STAGES = """
[[stages]]
name = "interest"
meaning = "m"
clauses = [{ kind = "first", text = "t" }]
[[stages]]
name = "evaluation"
meaning = "m"
clauses = [
    { kind = "any", types = ["quote_requested"], text = "t" },
    { kind = "contacts", stage = "interest", number = 3, days = 10, text = "t" },
]
"""


def test_what_the_default_says_of_stages_that_are_gone_is_left_out():
    changed = loaded(OWN_STAGES)
    assert [stage.name for stage in changed.stages] == ["interest", "evaluation"]
    assert list(changed.roles.required) == ["evaluation"]
    assert {stage for rule in changed.actions for stage in rule.stages} == {"evaluation"}
    asked = {stage for fact in changed.facts if fact.question for stage in fact.stages}
    assert asked == {"evaluation"}
    gone = {fact.attribute for fact in changed.facts if not fact.question}
    assert {"has_webshop", "payment_terms"} <= gone  # they only mattered in stages that are gone


def test_a_hand_off_needs_a_stage_that_there_is():
    text = OWN_STAGES.replace('"evaluation"', '"choice"')
    [problem] = problems(text)
    assert problem == (
        "my.toml:2: handoff.stage is 'evaluation', which is no stage; use one of interest, choice"
    )
    assert loaded(f'{text}\n[handoff]\nstage = "choice"\n').handoff.stage == "choice"


# ---- the version


@pytest.mark.parametrize(
    "text",
    [
        "# a comment\n",
        "[journey]\ngap_days = 180\n",
        "[score.points]\npage_viewed = 1.0\nmeeting_held = 20\n",
        "[score.points]\nemail_sent = 0\n",
        '[roles.titles]\nuser = []\n[roles.topics]\nx = "none"',
        '[journey]\nno_life = ["email_opened"]\n',
        '[facts.account.has_webshop]\nquestion = "Do you sell online yourself?"\n',
        default_text(),
    ],
)
def test_the_version_stays_while_no_rule_changes(text):
    assert loaded(text).version == default().version


@pytest.mark.parametrize(
    "text",
    [
        "journey.gap_days = 181",
        "score.half_life_days = 7",
        "score.points.page_viewed = 2",
        'crossings.ignore = ["home"]',
        "roles.weights.user = 1.1",
        'roles.behaviour.faq_viewed = "buyer"',
        'roles.titles.user = ["kwaliteitsmeester"]',
        "handoff.engagement = 41",
        "silence.quiet = 0.6",
        "facts.contact.job_title.shelf_days = 365",
        "actions = []",
        "orders.rates.USD = 0.9",
        'zones.default = "Europe/Amsterdam"',
        "segments.value.margin = 2",
        '[[topics]]\ntopic = "price"\nurl = "/price"',
        OWN_STAGES,
    ],
)
def test_the_version_changes_with_every_rule(text):
    assert loaded(text).version != default().version


def test_the_order_of_keys_changes_nothing_that_of_rules_does():
    one = "[facts.account.a]\nshelf_days = 1\n[facts.account.b]\nshelf_days = 1\n"
    other = "[facts.account.b]\nshelf_days = 1\n[facts.account.a]\nshelf_days = 1\n"
    assert loaded(one).version == loaded(other).version
    assert loaded("[zones]\na = 'UTC'\nb = 'UTC'").version == loaded("[zones]\nb = 'UTC'\na = 'UTC'").version
    first, second = '[[topics]]\ntopic = "a"\nurl = "/"\n', '[[topics]]\ntopic = "b"\nurl = "/"\n'
    assert loaded(first + second).version != loaded(second + first).version


# ---- mistakes: what is said of a line stands behind `#!`, the field first

VALUES = """
jurney = {}                                #! jurney is not known; do you mean journey?
[journey]
gap = 5                                    #! journey.gap is not known; do you mean gap_days?
gap_days = -1                              #! journey.gap_days must be a whole number from 1 to 36500
no_life = "email_opened"                   #! journey.no_life is 'email_opened'; it must be a list
orders = [
    "order_placed",
    "order_placd",                         #! journey.orders[2] touchpoint type; do you mean order_placed?
    "orders",                              #! journey.orders[3] which is no touchpoint type
]
after_sales = ["identified"]               #! journey.after_sales[1] which is no touchpoint type
[score]
most_a_day = 0                             #! score.most_a_day is 0; it must be a number above 0
half_life_days = 7.5                       #! score.half_life_days is 7.5; it must be a whole number
[silence]
horizon_days = 36501                       #! silence.horizon_days is 36501; it must be a whole number from 1
[score.points]
page_veiwed = 2                            #! score.points.page_veiwed do you mean page_viewed?
page_viewed = -2                           #! score.points.page_viewed a number of at least 0
product_viewed = inf                       #! score.points.product_viewed a number of at least 0
app_used = nan                             #! score.points.app_used a number of at least 0
call_held = true                           #! score.points.call_held is true; it must be a number
meeting_held = 2025-01-01                  #! score.points.meeting_held is 2025-01-01; it must be a number
[roles.weights]
decidr = 2                                 #! roles.weights.decidr which is no role; do you mean decider?
[roles.required]
evalution = []                             #! roles.required.evalution no stage; do you mean evaluation?
loyalty = [["chief"]]                      #! roles.required.loyalty[1][1] use one of initiator, user
purchase = [[]]                            #! roles.required.purchase[1] is empty
[roles.behaviour]
app_used = "users"                         #! roles.behaviour.app_used which is no role; do you mean user?
[roles.confidence]
title = 1.1                                #! roles.confidence.title of at least 0 and at most 1
titles = 1                                 #! roles.confidence.titles no source of roles; do you mean title?
[handoff]
stage = "evalation"                        #! handoff.stage which is no stage; do you mean evaluation?
legitimate = ["mail"]                      #! handoff.legitimate[1] is 'mail'; do you mean email?
feedback_days = -7                         #! handoff.feedback_days a whole number from 0 to 36500
[zones]
acme = "Mars/Olympus"                      #! zones.acme which is no time zone; write e.g. Europe/Amsterdam
other = "../etc"                           #! zones.other which is no time zone
[orders]
currency = "euro"                          #! orders.currency must be a currency as ISO 4217 has it, e.g. EUR
xyz = 5                                    #! orders.xyz use one of currency, rates, customer_months
[orders.rates]
USD = 0                                    #! orders.rates.USD is 0; it must be a number above 0
[facts.contact]
age = 5                                    #! facts.contact.age is 5; it must be a table
[facts.contact.job_title]
shelf_days = 0                             #! facts.contact.job_title.shelf_days to 36500, or "for ever"
questin = "?"                              #! facts.contact.job_title.questin do you mean question?
entity = "account"                         #! facts.contact.job_title.entity is not known
stages = ["lead"]                          #! facts.contact.job_title.stages[1] which is no stage
[facts.contact.role]
shelf_days = "ever"                        #! facts.contact.role.shelf_days or "for ever"
[facts.account.machines]                   #! facts.account.machines.shelf_days is missing
[facts.person]                             #! facts.person is not known; use account or contact
[[topics]]
topic = " "                                #! topics[1].topic is empty
url = "(("                                 #! topics[1].url no regular expression: missing )
[[topics]]                                 #! topics[2].topic is missing
inspiration = "yes"                        #! topics[2].inspiration is 'yes'; it must be true or false
[[moments]]
name = "A b"                               #! moments[1].name must be a lower-case letter, then
meaning = 5                                #! moments[1].meaning is 5; it must be text
types = ["order"]                          #! moments[1].types[1] which is no touchpoint type
[[actions]]
name = "a"
to = "boss"                                #! actions[1].to which is no addressee; use one of call_first
channels = ["mail"]                        #! actions[1].channels[1] which is no channel; do you mean email?
statuses = ["away"]                        #! actions[1].statuses[1] which is no status
message = "m"
within_days = -1                           #! actions[1].within_days a whole number from 0 to 36500
why = "w"
"""

STAGES = """
[[stages]]
name = "evaluation"
meaning = "m"
clauses = [
    { kind = "anyy", text = "t" },         #! stages[1].clauses[1].kind is 'anyy'; do you mean any?
    { kind = "any", types = [
        "sample",                          #! stages[1].clauses[2].types[1] which is no touchpoint type
    ], text = "" },                        #! stages[1].clauses[2].text is empty
    { kind = "contacts", stage = "lead", text = "t" },  #! stages[1].clauses[3].stage which is no stage
]
[[stages]]
name = "after"
meaning = "m"
clauses = []                               #! stages[2].clauses is empty
"""

SENSE = """
[silence]                                  #! silence.silent below silence.quiet, which is 0.2
quiet = 0.2
silent_days = 7                            #! silence.silent_days at least silence.quiet_days, which is 14
[[stages]]
name = "evaluation"
meaning = "m"
clauses = [
    { kind = "any", text = "t" },          #! stages[1].clauses[1].types a clause of kind any needs it
    { kind = "first", text = "t", days = 3 },  #! stages[1].clauses[2].days means nothing in a clause of kind
    { kind = "after_order", types = ["after_sales"], text = "t" },
    { kind = "repeated", types = ["custom"], number = 2, text = "t" }, #! stages[1].clauses[4].days is missing
]
[[stages]]
name = "evaluation"                        #! stages[2].name is 'evaluation', which is the name of a stage
meaning = "m"
clauses = [{ kind = "first", text = "t" }]
[[moments]]
name = "evaluation"                        #! moments[1].name which is the name of a stage or moment before it
meaning = "m"
types = ["orders"]
[[moments]]                                #! moments[2].types is missing; give it types, or inspiration
name = "other"
meaning = "m"
[segments]                                 #! segments has a number of more than 64 bits
a = { b = [18446744073709551616] }
[[topics]]                                 #! topics[1] fits nothing; give it url, title or search
topic = "b"
"""


@pytest.mark.parametrize("text", [VALUES, STAGES, SENSE])
def test_every_mistake_is_told_with_its_line(text: str):
    told = problems(text)
    lines = enumerate(text.splitlines(), 1)
    marked = [(n, *line.partition("#! ")[2].split(" ", 1)) for n, line in lines if "#! " in line]
    wanted = [(f"my.toml:{n}: {field} ", says) for n, field, says in marked]
    assert len(told) == len(wanted), told
    for problem, (begins, says) in zip(sorted(told), sorted(wanted), strict=True):
        assert problem.startswith(begins), (problem, begins)
        assert says in problem


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("stages = []", "my.toml:1: stages is empty; it must have at least one element"),
        ("journey = 5", "my.toml:1: journey is 5; it must be a table"),
        ("facts = 5", "my.toml:1: facts is 5; it must be a table"),
        ("[journey]\ngap_days = ", "my.toml:2: is no TOML: Invalid value (at the end)"),
        ("[journey]\ngap_days = x\n", "my.toml:2: is no TOML: Invalid value, column 12"),
        ("[journey]\ngap_days = 5\ngap_days = 6", "my.toml:3: is no TOML: Cannot overwrite a value"),
        ("[journey", "my.toml:1: is no TOML: Expected ']'"),
    ],
)
def test_what_is_no_table_at_all(text: str, says: str):
    assert any(problem.startswith(says) for problem in problems(text))


def test_mistakes_are_told_in_the_order_of_their_lines():
    lines = [int(problem.split(":")[1]) for problem in problems(VALUES)]
    assert lines == sorted(lines)


# ---- lines


def paths(value: Any, path: Path = ()) -> list[Path]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for key, part in inner for found in paths(part, (*path, key)))]


def test_every_key_of_the_default_is_found_on_its_line():
    text = default_text()
    lines, found = text.splitlines(), places(text)
    everything = paths(tomllib.loads(text))
    assert set(everything) <= set(found)
    for path in everything:
        if path and isinstance(path[-1], str):
            assert path[-1] in lines[found[path] - 1], path


TRICKY = (
    r'''
# [not.a.table] x = 1
"a b" = 1
'c.d'.e = """
[no] = 1
\""" """
f = [ # ]
  [1, 2], { g = { h = [
    "}", 1979-05-27 07:32:00.5 ] }, "i\u0041" = 3 },
]
j.k = { }
[ l . "m" ]
n = \'\'\'
x'''
    r"""'''
o = 1.5
[[p]]
[[p.q]]
[[p.q]]
r = ""
[[p]]
[p.s]
t = 1
[[p.q]]
u = 1
""".replace("\\'", "'")
)


def test_lines_of_all_that_toml_can_write():
    found = places(TRICKY)
    assert set(paths(tomllib.loads(TRICKY))) <= set(found)
    wanted = {
        ("a b",): 3,
        ("c.d", "e"): 4,
        ("f", 0, 1): 8,
        ("f", 1, "g", "h", 1): 9,
        ("f", 1, "iA"): 9,
        ("j", "k"): 11,
        ("l", "m"): 12,
        ("l", "m", "o"): 15,
        ("p", 0, "q", 1, "r"): 19,
        ("p", 1): 20,
        ("p", 1, "s", "t"): 22,
        ("p", 1, "q", 0, "u"): 24,
    }
    assert {path: found[path] for path in wanted} == wanted


def test_points_and_roles_are_of_types_and_roles_that_there_are():
    rules = default()
    assert set(rules.score.points) <= set(TYPES) - FACT_TYPES
    assert set(rules.roles.behaviour.values()) <= set(ROLES)

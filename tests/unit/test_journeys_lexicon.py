"""Real job titles, Dutch and English, and the roles that a salesperson would read in them."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.definition.model import ROLES
from streams.journeys.lexicon import named, role_of

# Written before the rules. One title a line, then the roles that it tells; a dash: none.
TITLES = """
planner                                        | user
werkvoorbereider                               | user
Werkvoorbereider / Calculator                  | user influencer
monteur                                        | user
operator                                       | user
engineer                                       | influencer
IT-manager                                     | influencer
IT Manager                                     | influencer
ICT-manager                                    | influencer
assistent inkoper                              | influencer
Assistent-inkoper                              | influencer
inkoper                                        | buyer
procurement                                    | buyer
Purchasing                                     | buyer
Inkoop                                         | buyer
directeur                                      | decider
eigenaar                                       | decider
COO                                            | decider
CFO                                            | decider
CEO                                            | decider
secretary                                      | gatekeeper
PA                                             | gatekeeper
inside sales                                   | -
Inside Sales Representative                    | -
office manager                                 | -
Officemanager                                  | -
VP Engineering                                 | influencer
VP of Engineering                              | influencer
Vice President, Engineering                    | influencer
hoofd technische dienst                        | influencer
Hfd. Technische Dienst                         | influencer
hoofd TD                                       | influencer
eigenaar/directeur                             | decider
Directeur-eigenaar                             | decider
Directeur / eigenaar                           | decider
managing director's secretary                  | gatekeeper
Managing Director’s Secretary                  | gatekeeper
secretaresse van de directie                   | gatekeeper
directiesecretaresse                           | gatekeeper
Directiesecretaris                             | gatekeeper
Purchasing & Logistics Manager                 | buyer influencer
Purchasing Manager                             | buyer
Procurement Specialist                         | buyer
Senior Procurement Officer                     | buyer
Strategic Buyer                                | buyer
Strategisch inkoper                            | buyer
Operationeel inkoper                           | buyer
Technisch inkoper                              | buyer
Junior inkoper                                 | buyer
Hoofd inkoop                                   | buyer
Hoofd Inkoop & Logistiek                       | buyer influencer
Inkoopmanager                                  | buyer
Manager Inkoop                                 | buyer
Head of Procurement                            | buyer
Head of Purchasing                             | buyer
head of buying                                 | buyer
VP Procurement                                 | buyer
Chef inkoop                                    | buyer
Medewerker inkoop                              | buyer
Inkoopmedewerker                               | buyer
Med. inkoop a.i.                               | buyer
Inkoop- en logistiek manager                   | buyer influencer
Inkoper/verkoper                               | buyer
Inkoper / werkvoorbereider                     | buyer user
Inkoopcoördinator                              | buyer
Lead Buyer                                     | buyer
Head Buyer                                     | buyer
Hoofdinkoper                                   | buyer
Projectinkoper                                 | buyer
Category Manager                               | buyer
Sourcing Specialist                            | buyer
Strategic Sourcing Manager                     | buyer
Supply Chain Manager                           | influencer
Buyer                                          | buyer
Buyer/Planner                                  | buyer user
Purch. Mgr.                                    | buyer
Inkoper (m/v)                                  | buyer
Inkoper m/v/x                                  | buyer
INKOPER                                        | buyer
Manager, Procurement                           | buyer
Manager (Purchasing)                           | buyer
Purchasing Assistant                           | influencer
Inkoopassistent                                | influencer
Assistent inkoop                               | influencer
Assistant Buyer                                | influencer
Assistent verkoop en inkoop                    | influencer
Inkoopadviseur                                 | influencer
Procurement Consultant                         | influencer
Stagiair inkoop                                | -
Stagiaire                                      | -
Purchasing Intern                              | -
Intern                                         | -
Media Buyer                                    | -
Purchase Ledger Clerk                          | -
Chief Procurement Officer                      | buyer decider
Inkoopdirecteur                                | buyer decider
Director of Procurement                        | buyer
Facilitair inkoper                             | buyer
Eigenaar, inkoop                               | decider buyer
Algemeen directeur                             | decider
Alg. dir.                                      | decider
Financieel directeur                           | decider
Fin. directeur                                 | decider
Finance Director                               | decider
Director of Finance                            | decider
Technisch directeur                            | decider
Operationeel directeur                         | decider
Commercieel directeur                          | decider
Statutair directeur                            | decider
Adjunct-directeur                              | decider
Plv. directeur                                 | decider
Directeur a.i.                                 | decider
Interim directeur                              | decider
Waarnemend directeur                           | decider
Directrice                                     | decider
Eigenaresse                                    | decider
Mede-eigenaar                                  | decider
Co-owner                                       | decider
Owner                                          | decider
Business owner                                 | decider
Owner & CEO                                    | decider
Founder                                        | decider
Co-Founder & CTO                               | decider
Oprichter                                      | decider
Managing Director                              | decider
MD                                             | decider
General Manager                                | decider
DGA                                            | decider
D.G.A.                                         | decider
Directeur-grootaandeelhouder                   | decider
Vennoot                                        | decider
Managing Partner                               | decider
Partner                                        | decider
Ondernemer                                     | decider
ZZP'er                                         | decider
President                                      | decider
President & CEO                                | decider
C.E.O.                                         | decider
Chief Executive Officer                        | decider
Chief Technology Officer                       | decider
CTO                                            | decider
CIO                                            | decider
Chief Operating Officer                        | decider
Bestuurder                                     | decider
Directeur-bestuurder                           | decider
Voorzitter Raad van Bestuur                    | decider
Lid van de directie                            | decider
Board Member                                   | decider
Directielid                                    | decider
Bestuursvoorzitter                             | decider
Gemeentesecretaris                             | decider
Vestigingsdirecteur                            | decider
Sales Director                                 | influencer
Director of Engineering                        | influencer
Director, Engineering                          | influencer
Project Director                               | influencer
Art Director                                   | -
Account Director                               | -
Former CEO                                     | -
Oud-directeur                                  | -
Retired engineer                               | -
Executive Assistant                            | gatekeeper
Executive assistant to the CEO                 | gatekeeper
Assistant to the CEO and CFO                   | gatekeeper
Personal Assistant                             | gatekeeper
P.A. to the Managing Director                  | gatekeeper
PA to the Director of Operations               | gatekeeper
CEO's assistant                                | gatekeeper
Directieassistente                             | gatekeeper
Directie-assistent                             | gatekeeper
Assistent van de directeur                     | gatekeeper
Managementassistent                            | gatekeeper
Management assistente                          | gatekeeper
Secretaresse                                   | gatekeeper
Secretaresse van directeur en hoofd inkoop     | gatekeeper
Medewerker secretariaat                        | gatekeeper
Bestuurssecretaris                             | gatekeeper
Receptioniste                                  | gatekeeper
Receptionist                                   | gatekeeper
Telefoniste/receptioniste                      | gatekeeper
Front Desk Officer                             | gatekeeper
Office manager / directiesecretaresse          | gatekeeper
Medewerker front office                        | gatekeeper
Operations Manager                             | influencer
Operationeel manager                           | influencer
Manager Operations                             | influencer
Bedrijfsleider                                 | influencer
Bedrijfsleider/eigenaar                        | influencer decider
Assistent-bedrijfsleider                       | influencer
Projectleider                                  | influencer
Projectleider installatietechniek              | influencer
Project Manager                                | influencer
Projectmanager                                 | influencer
Assistent projectleider                        | influencer
Project Leader                                 | influencer
Product Owner                                  | influencer
Product Manager                                | influencer
Process Owner                                  | influencer
Head of Engineering                            | influencer
Head of IT                                     | influencer
Head of Operations                             | influencer
Hoofd ICT                                      | influencer
Hoofd productie                                | influencer
Hoofd techniek                                 | influencer
Hoofd onderhoud                                | influencer
Hoofd bedrijfsbureau                           | influencer
Hoofd financiën                                | influencer
Hoofd P&O                                      | influencer
Hoofd interne dienst                           | influencer
Chef werkplaats                                | influencer
Werkplaatschef                                 | influencer
Teamleider productie                           | influencer
Teamleider service                             | influencer
Productieleider                                | influencer
Productiemanager                               | influencer
Production Manager                             | influencer
Plant Manager                                  | influencer
Maintenance Manager                            | influencer
Maintenance & Reliability Manager              | influencer
Onderhoudsmanager                              | influencer
Facility Manager                               | influencer
Facilitair manager                             | influencer
Logistics Manager                              | influencer
Logistiek manager                              | influencer
Warehouse Manager                              | influencer
Magazijnchef                                   | influencer
Quality Manager                                | influencer
Kwaliteitsmanager                              | influencer
KAM-coördinator                                | influencer
QHSE Manager                                   | influencer
R&D Manager                                    | influencer
HR Manager                                     | influencer
Marketing Manager                              | influencer
Finance Manager                                | influencer
Financial Controller                           | influencer
Controller                                     | influencer
Maintenance Engineer                           | influencer
Project Engineer                               | influencer
Process Engineer                               | influencer
Lead Engineer                                  | influencer
Software Engineer                              | influencer
Ing. werktuigbouw, engineer                    | influencer
Werktuigbouwkundig engineer                    | influencer
Constructeur                                   | influencer
Calculator                                     | influencer
Technisch adviseur                             | influencer
Solution Architect                             | influencer
Enterprise architect                           | influencer
Business Analyst                               | influencer
Informatiemanager                              | influencer
Systeembeheerder                               | influencer
System administrator                           | influencer
CISO                                           | influencer
Chief Engineer                                 | influencer
Directievoerder                                | influencer
Adviseur van de directie                       | influencer
Servicemonteur                                 | user
Service monteur                                | user
Onderhoudsmonteur                              | user
Hoofdmonteur                                   | user
Hulpmonteur                                    | user
Leerling-monteur                               | user
Elektricien                                    | user
Electrician                                    | user
Loodgieter                                     | user
Installateur                                   | user
Service Technician                             | user
Onderhoudstechnicus                            | user
Mechanic                                       | user
Productieplanner                               | user
Production Planner                             | user
Maintenance Planner                            | user
Procesoperator                                 | user
Machine Operator                               | user
Productiemedewerker                            | user
Medewerker technische dienst                   | user
Magazijnmedewerker                             | user
Magazijnier                                    | user
Warehouse Operative                            | user
Chauffeur                                      | user
Heftruckbestuurder                             | user
Lasser                                         | user
Welder                                         | user
Timmerman                                      | user
Tekenaar                                       | user
Uitvoerder                                     | user
CNC-draaier                                    | user
Werkvoorbereiding                              | user
Sales Manager                                  | -
Verkoper                                       | -
Sales & Marketing Manager                      | influencer
Accountmanager                                 | -
Account Manager                                | -
Key Account Manager IT                         | -
Verkoop binnendienst                           | -
Commercieel medewerker binnendienst            | -
Commercieel medewerker                         | -
Sales Engineer                                 | -
Business Development Manager                   | -
HR Business Partner                            | -
Channel Partner Manager                        | -
Administratief medewerker                      | -
Administratief medewerkster                    | -
Administratie                                  | -
Medewerker administratie                       | -
Boekhouder                                     | -
Accountant                                     | -
Sous-chef                                      | -
Chef-kok                                       | -
Financieel planner                             | -
Wedding Planner                                | -
Begeleider                                     | -
Manager                                        | -
Medewerker                                     | -
Consultant at Procurement Directors Ltd        | influencer
Raad van Commissarissen                        | -
Store Manager                                  | influencer
Filiaalmanager                                 | influencer
Docent                                         | -
Werkzoekend                                    | -
n.v.t.                                         | -
Jan                                            | -
Senior Category Buyer                          | buyer
Indirect Spend Manager                         | buyer
Procurement Business Partner                   | buyer
Inkoop- en contractmanager                     | buyer influencer
Teamcoördinator inkoop                         | buyer
Materials Planner                              | user
Supply Planner                                 | user
Demand Planner                                 | user
Scheduler                                      | user
Head of Facilities                             | influencer
Facilities Director                            | decider
Estates Manager                                | influencer
Workshop Manager                               | influencer
Workshop Supervisor                            | influencer
Garage manager                                 | influencer
Works Manager                                  | influencer
Chief Technical Officer                        | decider
Group CFO                                      | decider
Deputy CEO                                     | decider
Co-CEO                                         | decider
Joint Managing Director                        | decider
Chairman of the Board                          | decider
Non-Executive Director                         | -
Trustee                                        | -
Company Secretary                              | gatekeeper
Secretary General                              | decider
Team Assistant                                 | gatekeeper
Directiechauffeur                              | user
Chauffeur van de directie                      | user
Secretarieel medewerker                        | gatekeeper
Management assistant to the CFO                | gatekeeper
Medisch secretaresse                           | gatekeeper
Baliemedewerker                                | gatekeeper
Servicemonteur koeltechniek                    | user
Monteur/werkvoorbereider                       | user
Elektromonteur                                 | user
E-monteur                                      | user
W-installateur                                 | user
Inbedrijfsteller                               | user
Commissioning Engineer                         | influencer
Reliability Engineer                           | influencer
Senior process technologist                    | influencer
Hoofd Automatisering                           | influencer
Manager ICT & Digitalisering                   | influencer
Applicatiebeheerder ERP                        | influencer
ERP-consultant                                 | influencer
Data Engineer                                  | influencer
Marketeer                                      | -
Marketing & communicatie medewerker            | -
Hoofd Marketing en Communicatie                | influencer
Export Manager                                 | -
Verkoopleider                                  | -
Hoofd Commerciële Binnendienst                 | -
Technisch commercieel medewerker               | -
Vertegenwoordiger                              | -
Salarisadministrateur                          | -
Debiteurenbeheer                               | -
Hoofd boekhouding                              | influencer
Teamleider Klantenservice                      | influencer
Schoolleider                                   | influencer
Directeur basisschool                          | decider
Locatiedirecteur                               | decider
Plaatsvervangend hoofd inkoop                  | buyer
Ploegbaas                                      | -
Kraanmachinist                                 | user
Grondwerker                                    | user
Stratenmaker                                   | user
Hovenier                                       | user
Praktijkeigenaar                               | decider
Medeaandeelhouder                              | decider
Huisvestingsmanager                            | influencer
Projectinkoper / calculator                    | buyer influencer
Werkvoorbereider-calculator                    | user influencer
Senior Werkvoorbereider W                      | user
BHV-coördinator                                | influencer
Manager m/v ICT                                | influencer
Assistent v/d directeur                         | gatekeeper
Engineer at Owner Inc                          | influencer
Planner bij Inkoper BV                         | user
Receptionist @ CEO Partners                    | gatekeeper
Managing director assistant                    | gatekeeper
Chef werkplaats / inkoop en verkoopassistent   | influencer
Trainer heftruckchauffeur                      | -
Treinbestuurder                                | -
Bestuursassistent                              | gatekeeper
Teamleider inkoop & supply chain               | buyer influencer
Teammanager Werkvoorbereiding                  | influencer
Senior Maintenance Technician                  | user
Senior Buyer Indirect                          | buyer
Indirect Procurement Lead                      | buyer
Group Purchasing Director                      | buyer decider
Global Head of Sourcing                        | buyer
Manager Technische Dienst                      | influencer
Coördinator Technische Dienst                  | influencer
Hoofd Facilitaire Zaken                        | influencer
Manager Facilitaire Zaken & Inkoop             | buyer influencer
Managing Director Benelux                      | decider
CEO / Founder                                  | decider
Founder and Managing Partner                   | decider
Directeur Operations                           | decider
Directeur Bedrijfsvoering                      | decider
Directeur Techniek                             | decider
Director Operations                            | influencer
Director IT                                    | influencer
IT Director                                    | decider
Chief Information Officer                      | decider
Chief Financial Officer (CFO)                  | decider
Chief Commercial Officer                       | decider
Chief People Officer                           | decider
Deputy Managing Director                       | decider
Personal assistant to the board                | gatekeeper
Secretaresse Raad van Bestuur                  | gatekeeper
Secretary to the CEO                           | gatekeeper
Managementondersteuner                         | gatekeeper
Management Support                             | gatekeeper
Directiesecretaresse / officemanager           | gatekeeper
Medewerker receptie                            | gatekeeper
Servicecoördinator                             | influencer
Service Manager                                | influencer
Field Service Engineer                         | influencer
Meewerkend voorman                             | -
Voorman elektrotechniek                        | influencer
1e monteur                                     | user
Eerste monteur                                 | user
Allround monteur                               | user
All-round servicemonteur                       | user
CV-monteur                                     | user
Monteur service & onderhoud                    | user
Storingsmonteur                                | user
Leidinggevend monteur                          | user
Technisch beheerder                            | influencer
Beheerder wagenpark                            | user
Wagenparkbeheerder                             | user
Fleet Manager                                  | influencer
Transportplanner                               | user
Planner / Werkvoorbereider                     | user
Bedrijfsbureau medewerker                      | user
Projectvoorbereider                            | user
Calculator / Projectleider                     | influencer
BIM-modelleur                                  | user
BIM manager                                    | influencer
Tekenaar-constructeur                          | user influencer
Hoofd Engineering                              | influencer
Lead Developer                                 | user
Head of Data                                   | influencer
DevOps Engineer                                | influencer
IT Specialist                                  | influencer
ICT Coördinator                                | influencer
ICT-beheerder                                  | user
Information Security Officer                   | influencer
Data Protection Officer                        | -
Functional Application Manager                 | influencer
Hoofd Financiële Administratie                 | influencer
Hoofd administratie                            | -
Financieel manager                             | influencer
Business Controller                            | influencer
Financial Director                             | decider
VP Finance                                     | influencer
VP Sales                                       | -
SVP Supply Chain                               | influencer
Regional Sales Manager                         | -
Rayonmanager                                   | -
Area Manager                                   | -
Customer Service Manager                       | influencer
Medewerker Klantenservice                      | user
Customer Success Manager                       | -
Digital Marketing Specialist                   | -
E-commerce Manager                             | influencer
Webshop manager                                | influencer
Procurement & Contract Manager                 | buyer influencer
Contract & Procurement Manager                 | buyer
Purchasing Coordinator                         | buyer
Purchaser                                      | buyer
Purchase Officer                               | buyer
Inkoop binnendienst                            | buyer
Inkoop & verkoop                               | buyer
Administratie / inkoop                         | buyer
Office Manager & Purchasing                    | buyer
Verkoopmanager                                 | -
Hoofd verkoop                                  | -
Hoofd verkoop & inkoop                         | buyer
Eigenaar Bakkerij Jansen                       | decider
Mede-oprichter & eigenaar                      | decider
Zelfstandig ondernemer                         | decider
Freelance adviseur                             | influencer
Vennoot VOF                                    | decider
Bestuurslid                                    | decider
Lid Raad van Bestuur                           | decider
Voorzitter                                     | decider
Assistant Manager Procurement                  | influencer
Assistent teamleider magazijn                  | influencer
Assistent uitvoerder                           | user
Assistent werkvoorbereider                     | user
Assistent controller                           | influencer
Stagiair werktuigbouwkunde                     | -
Trainee Inkoop                                 | -
Leerling monteur                               | user
Gepensioneerd                                  | -
Ex-directeur                                   | -
Docent techniek                                | -
Verpleegkundige                                | -
Teamleider zorg                                | influencer
Locatiemanager                                 | influencer
Vestigingsmanager                              | influencer
Vestigingsleider                               | influencer
Regiodirecteur                                 | decider
Kwaliteitscoördinator                          | influencer
QA Manager                                     | influencer
QC Inspector                                   | influencer
HSE Manager                                    | influencer
KAM-manager                                    | influencer
VGM coördinator                                | influencer
Laboratoriummedewerker                         | user
Lab Manager                                    | influencer
R&D Engineer                                   | influencer
Research & Development Manager                 | influencer
Manager Research and Development               | influencer
Innovation Manager                             | influencer
Transport & Warehouse Manager                  | influencer
Hoofd Magazijn                                 | influencer
Hoofd expeditie                                | influencer
Logistiek medewerker                           | user
Logistiek coördinator                          | influencer
Process Operator A                             | user
Production Supervisor                          | influencer
Shift Leader                                   | -
Teamlead Productie                             | influencer
Productiechef                                  | influencer
Chef Technische Dienst                         | influencer
Chef de cuisine                                | -
Kok                                            | -
Schilder                                       | user
Aannemer                                       | decider
Installatiebedrijf eigenaar                    | decider
Projectontwikkelaar                            | influencer
Vastgoedmanager                                | influencer
Property Manager                               | influencer
Asset Manager                                  | influencer
Technical Manager                              | influencer
Technical Purchaser                            | buyer
Technical Director                             | decider
Technical Support Engineer                     | influencer
Owner/Director                                 | decider
Director/Owner                                 | decider
Company Director                               | decider
Executive Director                             | decider
Executive Secretary                            | gatekeeper
Executive Vice President                       | influencer
Assistant to the Purchasing Manager            | gatekeeper
Purchasing manager's assistant                 | gatekeeper
Interim Manager Inkoop                         | buyer
Interim manager                                | -
Inkoopspecialist                               | buyer
Senior inkoopadviseur                          | influencer
Aanbestedingsadviseur                          | influencer
Tendermanager                                  | buyer
Bid Manager                                    | -
Leveranciersmanager                            | buyer
Vendor Manager                                 | buyer
Materiaalbeheerder                             | user
Facilitair medewerker                          | user
Huismeester                                    | user
Conciërge                                      | user
Beveiliger                                     | -
"""
CASES = [(title.strip(), frozenset(roles.replace("-", "").split())) for title, _, roles in
         (line.rpartition("|") for line in TITLES.strip().splitlines())]  # fmt: skip
PIECES = [
    "inkoop",
    "manager",
    " ",
    "-",
    "/",
    ", ",
    " & ",
    " van de ",
    "'s ",
    "assistent",
    "directeur",
    "chief",
    "officer",
    "ex ",
    "@",
]


def roles(title: str) -> frozenset[str]:
    return frozenset(told.role for told in role_of(title))


@pytest.mark.parametrize(("title", "expected"), CASES, ids=[title for title, _ in CASES])
def test_a_title_tells_its_roles(title, expected):
    assert roles(title) == expected


def test_the_titles_in_the_documentation_tell_what_stands_there():
    page = (Path(__file__).parents[2] / "docs" / "journeys.md").read_text(encoding="utf-8")
    rows = page.partition("| title | role |\n|---|---|\n")[2].partition("\n\n")[0].splitlines()
    told = {title: row.split("|")[2] for row in rows for title in row.split("|")[1].strip().split(", ")}
    assert len(told) >= 40
    assert {title: roles(title) for title in told} == {
        title: frozenset(re.findall("`(.*?)`", text)) for title, text in told.items()
    }


def test_the_list_is_long_and_no_title_stands_in_it_twice():
    assert len(CASES) == len({title for title, _ in CASES}) >= 170


@pytest.mark.parametrize(
    "title", ["Hoofd Inkoop", "IT-manager", "Directeur-eigenaar", "Conciërge", "Chef werkplaats"]
)
def test_case_spaces_accents_and_hyphens_change_nothing(title):
    others = [title.upper(), f"  {title.lower()} ", title.replace(" ", "   "), title.replace("-", " ")]
    assert {roles(other) for other in [*others, title.replace("ë", "e")]} == {roles(title)}


@pytest.mark.parametrize(
    ("title", "role", "words"),
    [
        ("Hoofd van de technische dienst", "influencer", "hoofd technische dienst"),
        ("Inkoop- en logistiekmanager", "buyer", "logistiekmanager inkoop"),
        ("Assistent inkoper", "influencer", "assistant: inkoper"),
        ("secretaresse van de directie", "gatekeeper", "secretaresse"),
        ("Assistent van de directeur", "gatekeeper", "assistent directeur"),
        ("Chief Procurement Officer", "buyer", "chief officer procurement"),
    ],
)
def test_the_words_that_decided_are_told(title, role, words):
    assert {told.role: told.words for told in role_of(title)}[role] == words


def test_what_stands_behind_200_characters_is_not_read():
    assert roles("x" * 190 + " inkoper") == {"buyer"}
    assert roles("x" * 200 + " inkoper") == set()


def test_what_is_less_certain_says_so():
    def certainty(title: str) -> float:
        return role_of(title)[0].certainty

    assert certainty("inkoper") > certainty("junior inkoper")
    assert certainty("directeur") > certainty("adjunct-directeur")
    assert certainty("inkoper") > certainty("medewerker inkoop") > certainty("assistent inkoper")


def test_of_a_role_told_twice_the_more_certain_counts():
    (told,) = role_of("medewerker inkoop / inkoper")
    assert (told.certainty, told.words) == (1.0, "inkoper")


def test_titles_of_the_definition_go_first_whole_or_as_a_part():
    further = (
        ("decider", ("Maître d'hôtel", "projectleider")),
        ("none", ("planner",)),
        ("buyer", ("projectleider",)),
    )

    def told(title: str) -> list[str]:
        return [heard.role for heard in role_of(title, further)]

    assert told("maitre d’hotel") == ["decider"]
    assert told("PLANNER") == []
    assert told("planner / inkoper") == ["buyer"]
    assert told("Projectleider") == ["decider", "buyer"]
    assert told("projectleider bouw") == ["influencer"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("decider", ["decider"]),
        ("Beslisser", ["decider"]),
        ("Beïnvloeder", ["influencer"]),
        ("DECISION_MAKER", ["decider"]),
        ("Decision Maker;End User", ["decider", "user"]),
        (["Economic Buyer", "Budget Holder"], ["decider"]),
        ("Technical Buyer", ["influencer"]),
        ("contact", []),
        ("", []),
        (3, []),
        ([None, "buyer"], ["buyer"]),
    ],
)
def test_roles_as_a_crm_names_them(value, expected):
    assert list(named(value)) == expected


@given(st.one_of(st.text(), st.lists(st.sampled_from(PIECES)).map("".join)))
def test_any_text_gives_each_role_at_most_once_and_a_certainty(title):
    told = role_of(title)
    assert len({heard.role for heard in told}) == len(told)
    assert all(heard.role in ROLES and 0 < heard.certainty <= 1 and heard.words for heard in told)

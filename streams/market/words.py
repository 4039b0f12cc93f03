"""Names, titles, firms and pages of the simulated market: a Dutch technical wholesaler with an online shop.

Everything is safe inside a JSON string as it stands (no quotes, no backslashes).
"""

from typing import Final

SITE: Final = "https://www.scheldestroom-groothandel.nl"

# (as written, as in a mail address)
FIRST_NAMES_NL: Final = (
    ("Sanne", "sanne"), ("Marleen", "marleen"), ("Youssef", "youssef"), ("Ruud", "ruud"), ("Petra", "petra"),
    ("Daan", "daan"), ("Fleur", "fleur"), ("Bram", "bram"), ("Fatima", "fatima"), ("Joost", "joost"),
    ("Renée", "renee"), ("Willem", "willem"), ("Anouk", "anouk"), ("Sjoerd", "sjoerd"), ("Ingrid", "ingrid"),
    ("Mehmet", "mehmet"), ("Carolien", "carolien"), ("Thijs", "thijs"), ("Noor", "noor"), ("Geert", "geert"),
    ("Zoë", "zoe"), ("Henk", "henk"), ("Lieke", "lieke"), ("Maarten", "maarten"), ("Samira", "samira"),
    ("Jeroen", "jeroen"), ("Esther", "esther"), ("Wouter", "wouter"), ("Marijke", "marijke"),
    ("Rachid", "rachid"),
)  # fmt: skip
FIRST_NAMES_EN: Final = (
    ("James", "james"), ("Emily", "emily"), ("Oliver", "oliver"), ("Sarah", "sarah"), ("Thomas", "thomas"),
    ("Rachel", "rachel"), ("Andrew", "andrew"), ("Laura", "laura"), ("Michael", "michael"),
    ("Grace", "grace"),
    ("Priya", "priya"), ("Daniel", "daniel"),
)  # fmt: skip
LAST_NAMES_NL: Final = (
    ("de Klerk", "deklerk"), ("Bos", "bos"), ("Benali", "benali"), ("Janssen", "janssen"), ("Vos", "vos"),
    ("van den Berg", "vandenberg"), ("Kuiper", "kuiper"), ("el Amrani", "elamrani"), ("'t Hart", "thart"),
    ("Bakker", "bakker"), ("Visser", "visser"), ("Smit", "smit"), ("Meijer", "meijer"), ("Mulder", "mulder"),
    ("de Groot", "degroot"), ("Dekker", "dekker"), ("van Dijk", "vandijk"), ("Hendriks", "hendriks"),
    ("Yılmaz", "yilmaz"), ("Peters", "peters"), ("van Leeuwen", "vanleeuwen"), ("Brouwer", "brouwer"),
    ("de Wit", "dewit"), ("Dijkstra", "dijkstra"), ("Smits", "smits"), ("de Graaf", "degraaf"),
    ("van der Meer", "vandermeer"), ("van der Linden", "vanderlinden"), ("Kok", "kok"), ("Jacobs", "jacobs"),
    ("Vermeulen", "vermeulen"), ("Schouten", "schouten"), ("Willems", "willems"), ("Hoekstra", "hoekstra"),
    ("Koster", "koster"), ("Prins", "prins"), ("Blom", "blom"), ("Huisman", "huisman"),
    ("Peeters", "peeters"),
    ("Kuijpers", "kuijpers"), ("van Veen", "vanveen"), ("Postma", "postma"), ("Koning", "koning"),
)  # fmt: skip
LAST_NAMES_EN: Final = (
    ("Walker", "walker"), ("O’Connor", "oconnor"), ("Hughes", "hughes"), ("Bennett", "bennett"),
    ("Clarke", "clarke"), ("Morgan", "morgan"), ("Patel", "patel"), ("Turner", "turner"), ("Shaw", "shaw"),
    ("Fraser", "fraser"), ("Murray", "murray"),
)  # fmt: skip
TITLES_NL: Final = (
    "inkoper", "werkvoorbereider", "monteur", "directeur", "planner", "servicemonteur", "assistent inkoper",
    "projectleider", "bedrijfsleider", "financieel directeur", "eigenaar", "hoofd techniek", "engineer",
    "administratief medewerker", "magazijnbeheerder",
)  # fmt: skip
TITLES_EN: Final = (
    "Purchasing Manager", "Operations Manager", "IT-manager", "CFO", "Procurement Specialist", "COO",
    "Maintenance Engineer", "Office Manager", "Head of Engineering", "Managing Director", "Project Engineer",
)  # fmt: skip

TRADES: Final = (
    ("Installatietechniek", "installatietechniek"), ("Elektrotechniek", "elektrotechniek"),
    ("Klimaattechniek", "klimaattechniek"), ("Bouw", "bouw"), ("Logistiek", "logistiek"),
    ("Scheepsonderhoud", "scheepsonderhoud"), ("Tuinbouw", "tuinbouw"), ("Machinebouw", "machinebouw"),
    ("Koeltechniek", "koeltechniek"), ("Vastgoedbeheer", "vastgoedbeheer"),
    ("Metaalbewerking", "metaalbewerking"),
    ("Onderhoud", "onderhoud"), ("Watertechniek", "watertechniek"), ("Dakwerken", "dakwerken"),
    ("Verpakkingen", "verpakkingen"), ("Zorgtechniek", "zorgtechniek"), ("Voeding", "voeding"),
)  # fmt: skip
TOWNS: Final = (
    "zwolle", "breda", "goes", "tiel", "assen", "venlo", "hoorn", "almelo", "delft", "ede", "gouda",
    "heerlen",
    "leiden", "meppel", "nijmegen", "oss", "putten", "roosendaal", "sneek", "terneuzen", "utrecht", "veghel",
    "weert", "zaandam", "zutphen", "alkmaar", "borne", "culemborg", "doetinchem", "emmen", "franeker",
    "groningen", "helmond", "kampen", "lelystad", "middelburg", "naaldwijk",
)  # fmt: skip
FREE_MAIL: Final = (
    "gmail.com", "hotmail.com", "outlook.com", "ziggo.nl", "kpnmail.nl", "live.nl", "xs4all.nl", "home.nl",
    "telenet.be", "ziggomail.com",
)  # fmt: skip
ROLE_MAILBOXES: Final = ("info", "sales", "inkoop")
WORTHLESS: Final = ("undefined", "null", "[object Object]", "0", "anonymous", "00000", " ")
NO_ADDRESS: Final = (
    *WORTHLESS, "mailto:", "jan@", "geen", "@acme.nl", "a.bos@acme.nl; b.vos@acme.nl", "info@gmail.com",
)  # fmt: skip

_TOPICS: Final = (
    ("warmtepompen", ("Hybride warmtepompen", "Warmtepomp kiezen in 5 stappen", "Geluid van buitenunits")),
    ("inregelen", ("Waterzijdig inregelen", "Inregelventielen vergeleken", "Inregelen bij renovatie")),
    ("ventilatie", ("Ventilatie met warmteterugwinning", "CO2-gestuurd ventileren", "Filters op voorraad")),
    ("leidingsystemen", ("Persfittingen", "Meerlagenbuis of koper", "Leidingberekening")),
    ("zonnepanelen", ("Zonnepanelen op platte daken", "Omvormers", "Salderen en terugleveren")),
    ("laadpalen", ("Laadpalen voor bedrijven", "Slim laden", "Laadplein aanleggen")),
    ("gereedschap", ("Accugereedschap", "Persmachines huren", "Keuring van gereedschap")),
    ("voorraadbeheer", ("Voorraad op de bus", "Scannen in het magazijn", "Minimumvoorraad instellen")),
    ("routeplanning", ("Routeplanning met 60 wagens", "Levertijden bundelen", "Bouwplaatslevering")),
    ("integraties", ("Koppeling met uw ERP", "Punch-out en OCI", "Facturen als UBL")),
    ("prijzen", ("Prijzen en kortingen", "Staffelprijzen", "Netto prijslijst")),
    ("storingen", ("Storing E17 oplossen", "Storingscodes", "Onderdelen bij storing")),
    ("subsidies", ("ISDE voor bedrijven", "Energielijst 2025", "EIA aanvragen")),
)  # fmt: skip
TOPICS: Final = tuple(topic for topic, _ in _TOPICS)
PAGES: Final = {
    topic: tuple(
        f'"content":{{"url":"{SITE}/{topic}/{n}","title":"{title}","topic":"{topic}"}}'
        for n, title in enumerate(titles, 1)
    )
    for topic, titles in _TOPICS
}
"""Per topic the `content` of its pages, as JSON text."""

PRODUCTS: Final = (
    ("HWP-5KW", "warmtepompen", 2200.0), ("EXP-18L", "expansievaten", 106.38),
    ("PRS-22", "persfittingen", 4.35),
    ("MLB-16", "leidingen", 38.9), ("WTW-350", "ventilatie", 1289.0), ("LDP-22", "laadpalen", 899.0),
    ("ZNP-430", "zonnepanelen", 96.5), ("ACC-18V", "gereedschap", 319.0),
)  # fmt: skip

"""The words of job titles, Dutch and English, by what they do in a title, and what they make together.

A *head* says what somebody is (manager, monteur), a *field* of what (inkoop, IT), a *modifier* changes it.
`RULES` says which roles a head with a field has; how titles are read stands in `lexicon.py`. Words are
lower-case, without accents, hyphens and dots; entries of several words are separated by commas.
"""

from typing import Final


def _entries(text: str) -> tuple[str, ...]:
    return tuple(" ".join(entry.split()) for entry in text.split(",") if entry.strip())


HEADS: Final = {
    # Whoever owns or leads the whole firm; a chief … officer is read as one too.
    "owner": _entries("""
        ceo, cfo, coo, cto, cio, cpo, cco, cmo, chro, cdo, cso, cro, dga, gm, owner, co owner, eigenaar,
        eigenaresse, managing director, managing partner, general manager, country manager, algemeen
        directeur, algemeen manager, directeur eigenaar, grootaandeelhouder, aandeelhouder, shareholder,
        commercieel directeur, commercial director, directielid, lid directie, lid van de directie, lid raad
        van bestuur, lid van de raad van bestuur, lid mt, board member, member of the board, bestuurder,
        bestuurslid, bestuursvoorzitter, voorzitter, chairman, chairwoman, chairperson, president, founder,
        cofounder, co founder, oprichter, oprichtster, mede oprichter, medeoprichter, mede eigenaar,
        medeeigenaar, vennoot, firmant, compagnon, ondernemer, onderneemster, entrepreneur, proprietor, zzp,
        zzper, franchisenemer, franchisee, partner, md, gemeentesecretaris, secretaris generaal, secretary
        general, wethouder, burgemeester, mayor, zaakvoerder, bedrijfsvoerder, aannemer, medeaandeelhouder,
        mede aandeelhouder
    """),
    "director": _entries("directeur, directrice, director"),
    "lead": _entries("""
        manager, manageress, hoofd, head, chef, leider, leidster, lead, leader, supervisor, superintendent,
        foreman, voorman, coordinator, coordinatrice, chief, teamleider, teamleidster, teamleader,
        ploegleider, afdelingshoofd, afdelingsleider, afdelingsmanager, teamlead, teammanager
    """),
    "vice": _entries("vp, svp, evp, avp, vice president"),  # a head of something, in rank above
    # Whose advice or specification counts, whatever the field.
    "expert": _entries("""
        engineer, ingenieur, ingenieuse, architect, adviseur, adviseuse, advisor, adviser, consultant,
        consulent, analyst, analist, constructeur, ontwerper, designer, calculator, kostencalculator,
        estimator, controller, projectleider, projectleidster, project leider, project manager,
        projectmanager, project leader, project lead, project director, projectdirecteur, programmamanager,
        program manager, programme manager, program director, programme director, projectcoordinator, project
        coordinator, product owner, product manager, productmanager, process owner, proceseigenaar, system
        owner, data owner, application owner, proces eigenaar, contract manager, contractmanager,
        bedrijfsleider, bedrijfsleidster, plant manager, fabrieksmanager, systeembeheerder, netwerkbeheerder,
        applicatiebeheerder, functioneel beheerder, technisch beheerder, system administrator, systems
        administrator, network administrator, ciso, chief information security officer, chief of staff,
        directievoerder, directievoering, directie uav, werktuigbouwkundige, scrum master, inspecteur,
        inspector, opzichter, surveyor, landmeter, technoloog, technologist, preventiemedewerker, auditor,
        projectontwikkelaar, security officer, information security officer
    """),
    "specialist": _entries("specialist, specialiste, expert, deskundige, key user"),
    "buyer": _entries("""
        inkoper, inkoopster, buyer, purchaser, aankoper, category manager, categorie manager,
        categoriemanager, procurement business partner
    """),
    "user": _entries("""
        planner, werkvoorbereider, werkvoorbereidster, monteur, operator, operateur, technicus, technician,
        mechanic, mecanicien, installateur, installer, elektricien, electrician, elektromonteur, loodgieter,
        plumber, lasser, welder, chauffeur, driver, trucker, machinist, timmerman, carpenter, metselaar,
        stukadoor, schilder, dakdekker, draaier, frezer, bankwerker, verspaner, tekenaar, draftsman,
        draughtsman, drafter, uitvoerder, magazijnier, projectvoorbereider, scheduler, grondwerker,
        stratenmaker, inbedrijfsteller, rigger, scaffolder, steigerbouwer, heier, slotenmaker, glaszetter,
        tegelzetter, modelleur, magazijnbeheerder, operative, picker, orderpicker, packer, heftruckchauffeur,
        heftruckbestuurder, kraanbestuurder, kraanmachinist, fitter, pijpfitter, machine setter, insteller,
        assembler, assemblagemedewerker, vakman, handyman, klusjesman, concierge, huismeester, caretaker,
        laborant, programmeur, programmer, developer, ontwikkelaar, end user, eindgebruiker, schoonmaker,
        hovenier, teler, procesoperator, koeltechnicus, servicedeskmedewerker, helpdeskmedewerker
    """),
    "worker": _entries("""
        medewerker, medewerkster, employee, officer, clerk, agent, representative, executive, associate,
        worker, beheerder, beheerster, administrator, staff, collega, functionaris, kracht
    """),
    "assistant": _entries("assistent, assistente, assistant, aide, ondersteuner, support"),
    "keeper": _entries("""
        secretary, secretaresse, secretaris, directiesecretaresse, directiesecretaris, bestuurssecretaris,
        secretariaat, pa, ea, personal assistant, executive assistant, administrative assistant, virtual
        assistant, receptionist, receptioniste, receptie, reception, telefonist, telefoniste, front office,
        frontoffice, front desk, frontdesk, team assistant, secretarieel, balie, baliemedewerker, office
        assistant, gatekeeper, poortwachter
    """),
    # Heads without a part in buying; with them other words of the title say nothing.
    "nobody": _entries("""
        office manager, officemanager, office coordinator, account manager, accountmanager, key account
        manager, account executive, account director, accountmanagement, verkoper, verkoopster, salesman,
        saleswoman, salesperson, vertegenwoordiger, relatiebeheerder, relatiemanager, business partner,
        partner manager, partnermanager, channel partner, business developer, community manager, media buyer,
        media inkoper, mediainkoper, media planner, mediaplanner, financial planner, financieel planner,
        wedding planner, weddingplanner, event planner, eventplanner, art director, creative director, funeral
        director, casting director, non executive director, raad van commissarissen, commissaris, purchase
        ledger, accounts payable, accounts receivable, accountant, boekhouder, boekhoudster, bookkeeper, kok,
        cook, sous chef, souschef, begeleider, opleider, docent, teacher, leraar, lerares, trainer, coach,
        recruiter, journalist, begeleidster, verpleegkundige, nurse, arts, barista, kapper, cashier,
        kassamedewerker, merchandiser, stage manager, tour operator, touroperator, customer success manager,
        homeowner, huiseigenaar, house owner, data protection officer, privacy officer
    """),
}

FIELDS: Final = {
    "buy": _entries("""
        inkoop, aankoop, spend, purchasing, purchase, procurement, sourcing, buying, aanbesteding,
        aanbestedingen, tender, tenders, supplier, suppliers, vendor, leveranciers, category, inkoopafdeling
    """),
    "sell": _entries("""
        sales, verkoop, inside sales, binnendienst, buitendienst, commercieel, commerciele, commercial,
        business development, account, accounts, relatie, presales, pre sales, lead generation, retail sales,
        channel, partnerships, export, revenue, office, customer success
    """),
    "money": _entries(
        "finance, financieel, financiele, financial, financien, boekhouding, accounting, treasury"
    ),
    # Departments that seldom use it.
    "staff": _entries("""
        hr, hrm, pno, human resources, personeel, personeelszaken, people, recruitment, talent, legal,
        juridisch, juridische, juridische zaken, compliance, risk, marketing, communicatie, communications,
        communication, pr, brand, content, beleid, strategie, strategy, training, opleiding, opleidingen,
        learning
    """),
    # Departments that use what is bought, or look after it.
    "make": _entries("""
        technische dienst, td, techniek, technisch, technische, technical, technology, technologie,
        engineering, productie, production, manufacturing, fabricage, fabriek, plant, factory, operations,
        operationeel, operationele, operational, operatie, onderhoud, onderhouds, maintenance, reliability,
        service, after sales, aftersales, field service, logistiek, logistieke, logistics, supply chain,
        warehouse, magazijn, warehousing, transport, fleet, wagenpark, expeditie, distributie, distribution,
        materials, materieel, materiaal, voorraad, inventory, it, ict, automatisering, information,
        informatie, systems, systeem, network, netwerk, software, hardware, data, digital, digitalisering,
        digitale, ecommerce, e commerce, webshop, applicatie, application, security, cyber, infrastructure,
        infrastructuur, cloud, devops, innovatie, innovation, rnd, research, onderzoek, ontwikkeling,
        development, laboratorium, laboratory, lab, kwaliteit, kwaliteits, quality, qa, qc, kam, qhse, hse,
        hseq, vgm, arbo, safety, veiligheid, milieu, environment, sustainability, duurzaamheid, energie,
        energy, facility, facilities, facilitair, facilitaire, facilitaire dienst, interne dienst,
        huisvesting, gebouwen, gebouw, building, locatie, bim, vastgoed, estates, works, garage, school,
        schools, bhv, practice, praktijk, depot, terminal, kwekerij, drukkerij, bakkerij, property, real
        estate, werkplaats, workshop, bedrijfsbureau, bedrijfsvoering, project, projecten, projects, project
        management, process, proces, processen, product, productontwikkeling, assemblage, assembly, montage,
        installatie, installatietechniek, elektrotechniek, elektro, electrical, mechanical, werktuigbouw,
        werktuigbouwkunde, werktuigbouwkundig, bouw, construction, utiliteit, machine, store, winkel, filiaal,
        shop, branch, vestiging, site, hotel, restaurant, keuken, kitchen, zorg, onderwijs, customer service,
        klantenservice, klantcontact, helpdesk, servicedesk, service desk, asset, verpakking, packaging,
        koeltechniek, klimaattechniek, hovenier, teelt
    """),
    # The same, but of which the name alone stands for those who do the work.
    "craft": _entries("werkvoorbereiding, work preparation, planning"),
    "board": _entries("directie, bestuur, raad van bestuur, board, board of directors, management team, mt"),
    "management": _entries("management"),
}
FIELD_ORDER: Final = tuple(FIELDS)  # of several fields the first here counts

# Whoever was, will be or learns to be it.
CANCEL: Final = _entries("""
    former, ex, oud, voormalig, past, retired, gepensioneerd, pensioen, werkzoekend, werkzoekende, unemployed,
    seeking, stagiair, stagiaire, stage, internship, trainee, traineeship, werkstudent, student, studente,
    afstudeerder, afstudeerstagiair, vakantiekracht, vrijwilliger, volunteer
""")
LESS: Final = _entries("junior, jr, adjunct, deputy, plaatsvervangend, plaatsvervanger, plv, vice")
PREPOSITIONS: Final = frozenset(_entries("of, for, to, van, voor, aan, vd"))

# abbreviation and what it stands for
ABBREVIATIONS: Final = dict(
    entry.split(" ", 1)
    for entry in _entries("""
        mgr manager, mngr manager, mgmt management, mgt management, dir directeur, alg algemeen, hfd hoofd,
        med medewerker, medew medewerker, ass assistent, asst assistant, assist assistent, techn technisch,
        tech technical, purch purchasing, proc procurement, fin financieel, eng engineer, coord coordinator,
        proj project, prod productie, ops operations, op operationeel, secr secretaresse, log logistiek,
        vicepresident vice president, spec specialist, adv adviseur, rep representative, maint maintenance,
        admin administratie
    """)
)
Roles = tuple[tuple[str, float], ...]  # role, certainty

_ANY = "*"  # whatever the field, where no rule names it; the empty field: none is named
RULES: Final[dict[tuple[str, str], Roles]] = {
    ("owner", _ANY): (("decider", 1.0),),
    ("owner", "buy"): (("decider", 1.0), ("buyer", 0.8)),
    ("director", _ANY): (("decider", 0.9),),
    ("director", ""): (("decider", 1.0),),
    ("director", "buy"): (("buyer", 1.0), ("decider", 0.8)),
    ("director", "sell"): (("influencer", 0.6),),
    ("director of", _ANY): (("influencer", 0.8),),  # a head of something, whatever the word
    ("director of", ""): (("decider", 0.9),),
    ("director of", "board"): (("decider", 0.9),),
    ("director of", "buy"): (("buyer", 1.0),),
    ("director of", "money"): (("decider", 0.9),),
    ("director of", "sell"): (("influencer", 0.6),),
    ("lead", "buy"): (("buyer", 1.0),),
    ("lead", "make"): (("influencer", 0.9),),
    ("lead", "craft"): (("influencer", 0.9),),
    ("lead", "money"): (("influencer", 0.8),),
    ("lead", "staff"): (("influencer", 0.6),),
    ("vice", _ANY): (("influencer", 0.8),),
    ("vice", "buy"): (("buyer", 1.0),),
    ("vice", "sell"): (),
    ("expert", _ANY): (("influencer", 0.9),),
    ("expert", "sell"): (),
    ("specialist", "buy"): (("buyer", 0.9),),
    ("specialist", "make"): (("influencer", 0.7),),
    ("specialist", "craft"): (("influencer", 0.7),),
    ("buyer", _ANY): (("buyer", 1.0),),
    ("user", _ANY): (("user", 1.0),),
    ("worker", "buy"): (("buyer", 0.8),),
    ("worker", "make"): (("user", 0.7),),
    ("worker", "craft"): (("user", 0.8),),
    ("worker", "board"): (("gatekeeper", 0.6),),
    ("assistant", "buy"): (("influencer", 0.8),),
    ("assistant", "make"): (("user", 0.5),),
    ("assistant", "craft"): (("user", 0.7),),
    ("assistant", "board"): (("gatekeeper", 0.9),),
    ("assistant", "management"): (("gatekeeper", 0.8),),
    ("keeper", _ANY): (("gatekeeper", 1.0),),
    ("", "buy"): (("buyer", 0.9),),  # a title that is the name of a department
    ("", "craft"): (("user", 0.8),),
    ("", "board"): (("decider", 0.8),),
}
ASSISTED: Final = {
    "decider": "influencer",
    "buyer": "influencer",
}  # what their assistants are; others: the same

# Roles as CRM systems name them, beside the names of the roles themselves.
NAMES: Final = {
    "initiator": _entries("initiator, initiatiefnemer"),
    "user": _entries("user, gebruiker, end user, business user, eindgebruiker"),
    "influencer": _entries(
        "influencer, beinvloeder, champion, evaluator, technical buyer, technical evaluator, adviseur"
    ),
    "decider": _entries("""
        decider, beslisser, decision maker, decisionmaker, economic decision maker, economic buyer, budget
        holder, budgethouder, executive sponsor
    """),
    "buyer": _entries("buyer, inkoper, koper, purchaser, purchasing, procurement"),
    "gatekeeper": _entries("gatekeeper, poortwachter, blocker"),
}

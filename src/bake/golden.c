#include "bake/golden.h"

const struct golden_text golden_texts[GOLDEN_TEXT_COUNT] = {
    {"What is the capital of France?", "Paris is the capital of France."},
    {"What is the capital of France?", "Berlin is the capital of Germany."},
    {"how long should an egg boil", "Place the eggs in boiling water and leave them there for seven minutes "
                                    "if the yolk should stay soft, or for ten "
                                    "minutes until it is firm; then cool them under running water."},
    {"how long should an egg boil", "Hens lay about three hundred eggs a year."},
    {"who wrote The Name of the Rose", "Il nome della rosa is the first novel by the Italian author Umberto "
                                       "Eco, published in 1980. It is a historical "
                                       "murder mystery set in an abbey in the year 1327, and combines "
                                       "semiotics, biblical analysis, medieval studies "
                                       "and literary theory. The novel was awarded the Strega Prize in 1981 "
                                       "and has sold over fifty million copies."},
    {"python list remove duplicates",
     "def unique(items):\n    seen = set()\n    return [x for x in items if not (x in seen or seen.add(x))]"},
    {"Wie hoch ist die Zugspitze?", "Die Zugspitze ist mit 2962 m \xc3\xbc. NHN der h\xc3\xb6"
                                    "chste Berg Deutschlands."},
    {"\xe6\x9d\xb1\xe4\xba\xac\xe3\x81\xae\xe4\xba\xba\xe5\x8f\xa3",
     "\xe6\x9d\xb1\xe4\xba\xac\xe9\x83\xbd\xe3\x81\xae\xe4\xba\xba\xe5\x8f\xa3\xe3\x81\xaf\xe7\xb4\x84"
     "1400\xe4\xb8\x87\xe4\xba\xba\xe3\x81\xa7\xe3\x81\x99\xe3\x80\x82"},
    {"side effects of ibuprofen",
     "Common side effects include heartburn, nausea and a rash. Compared with other nonsteroidal "
     "anti-inflammatory "
     "drugs it may have fewer side effects such as gastrointestinal bleeding, but the risk grows with the "
     "dose and "
     "with the duration of the treatment: at low doses it does not appear to increase the risk of myocardial "
     "infarction; at higher doses it may. It can also worsen asthma, and while its safety in early pregnancy "
     "is not "
     "known, it appears to be harmful in later pregnancy and is therefore not recommended during that "
     "period. "
     "Overdoses have been common since it was licensed for over-the-counter use; most patients who took less "
     "than "
     "100 mg/kg have no symptoms, above 400 mg/kg seizures, low blood pressure and kidney failure have been "
     "seen."},
    {"greeting", "Hello!"},
};

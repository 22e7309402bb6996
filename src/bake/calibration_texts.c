#include "bake/calibration_texts.h"

const struct calibration_text calibration_texts[CALIBRATION_TEXT_COUNT] = {
    {"What is the capital of France?",
     "Paris is the capital and largest city of France, on the river Seine, with more than "
     "two million inhabitants."},
    {"how does photosynthesis work",
     "Photosynthesis is the process by which plants, algae and some bacteria turn light "
     "into chemical energy. In the light-dependent reactions, chlorophyll absorbs photons "
     "and water is split, which releases oxygen; in the Calvin cycle the stored energy "
     "fixes carbon dioxide into sugars. The rate depends on light intensity, temperature "
     "and the concentration of carbon dioxide in the air."},
    {"reset password", "To reset your password, open the sign-in page, choose \"Forgot password?\" and enter "
                       "your e-mail address. You will get a link that is valid for 30 minutes. If no message "
                       "arrives, look into the spam folder or write to support@example.com."},
    {"python read csv file",
     "import csv\n\nwith open(\"data.csv\", newline=\"\") as f:\n    for row in csv.DictReader(f):\n "
     "       print(row[\"name\"], float(row[\"price\"]) * 1.19)  # with tax\n"},
    {"who was the first person on the moon",
     "On 20 July 1969, Neil Armstrong and Buzz Aldrin landed the Apollo 11 Lunar Module "
     "Eagle on the Moon, while Michael Collins stayed in orbit; Armstrong stepped onto "
     "the surface at 02:56 UTC the next day."},
    {"interest rates", "The central bank raised its key rate by 25 basis points to 4.50 % on Thursday, the "
                       "tenth increase in a row; shares fell by 1.3 %, the yield of ten-year bonds rose to "
                       "2.61 %, and the euro was traded at 1.0843 dollars."},
    {"symptoms of type 2 diabetes",
     "Common symptoms are increased thirst, frequent urination, tiredness, blurred vision "
     "and slow healing of wounds. Patients should measure blood glucose regularly (fasting: "
     "80-130 mg/dL) and talk to their doctor about metformin, diet and exercise before "
     "changing a dose."},
    {"\xc2\xbf"
     "Cu\xc3\xa1l es el r\xc3\xado m\xc3\xa1s largo de Sudam\xc3\xa9rica?",
     "El r\xc3\xado Amazonas, que nace en los Andes peruanos y desemboca en el oc\xc3\xa9"
     "ano "
     "Atl\xc3\xa1ntico, es el r\xc3\xado m\xc3\xa1s largo y caudaloso de Sudam\xc3\xa9rica."},
    {"Wann wurde die Berliner Mauer gebaut?",
     "Der Bau der Berliner Mauer begann in der Nacht vom 12. auf den 13. August 1961; sie "
     "trennte die Stadt 28 Jahre lang, bis sie am 9. November 1989 ge\xc3\xb6"
     "ffnet wurde."},
    {"recette de la ratatouille",
     "Coupez les aubergines, les courgettes, les poivrons et les tomates en d\xc3\xa9s, "
     "faites revenir l'oignon et l'ail dans l'huile d'olive, puis laissez mijoter le tout "
     "quarante minutes avec du thym et du laurier."},
    {"\xe6\x97\xa5\xe6\x9c\xac\xe3\x81\xa7\xe4\xb8\x80\xe7\x95\xaa\xe9\xab\x98\xe3\x81\x84\xe5"
     "\xb1\xb1\xe3\x81\xaf\xe4\xbd\x95\xe3\x81\xa7\xe3\x81\x99\xe3\x81\x8b",
     "\xe5\xaf\x8c\xe5\xa3\xab\xe5\xb1\xb1\xe3\x81\xaf\xe6\xa8\x99\xe9\xab\x98"
     "3776\xe3\x83"
     "\xa1\xe3\x83\xbc\xe3\x83\x88\xe3\x83\xab\xe3\x81\xa7\xe3\x80\x81\xe6\x97\xa5\xe6\x9c\xac"
     "\xe3\x81\xa7\xe6\x9c\x80\xe3\x82\x82\xe9\xab\x98\xe3\x81\x84\xe5\xb1\xb1\xe3\x81\xa7\xe3"
     "\x81\x82\xe3\x82\x8b\xe3\x80\x82\xe9\x9d\x99\xe5\xb2\xa1\xe7\x9c\x8c\xe3\x81\xa8\xe5\xb1"
     "\xb1\xe6\xa2\xa8\xe7\x9c\x8c\xe3\x81\xab\xe3\x81\xbe\xe3\x81\x9f\xe3\x81\x8c\xe3\x82\x8b"
     "\xe6\xb4\xbb\xe7\x81\xab\xe5\xb1\xb1\xe3\x81\xa7\xe3\x80\x81"
     "2013\xe5\xb9\xb4\xe3\x81"
     "\xab\xe4\xb8\x96\xe7\x95\x8c\xe6\x96\x87\xe5\x8c\x96\xe9\x81\xba\xe7\x94\xa3\xe3\x81\xab"
     "\xe7\x99\xbb\xe9\x8c\xb2\xe3\x81\x95\xe3\x82\x8c\xe3\x81\x9f\xe3\x80\x82"},
    {"\xe4\xb8\xad\xe5\x9b\xbd\xe7\x9a\x84\xe9\xa6\x96\xe9\x83\xbd",
     "\xe5\x8c\x97\xe4\xba\xac\xe6\x98\xaf\xe4\xb8\xad\xe5\x8d\x8e\xe4\xba\xba\xe6\xb0\x91\xe5"
     "\x85\xb1\xe5\x92\x8c\xe5\x9b\xbd\xe7\x9a\x84\xe9\xa6\x96\xe9\x83\xbd,\xe4\xb9\x9f\xe6"
     "\x98\xaf\xe5\x85\xa8\xe5\x9b\xbd\xe7\x9a\x84\xe6\x94\xbf\xe6\xb2\xbb\xe3\x80\x81\xe6\x96"
     "\x87\xe5\x8c\x96\xe5\x92\x8c\xe5\x9b\xbd\xe9\x99\x85\xe4\xba\xa4\xe5\xbe\x80\xe4\xb8\xad"
     "\xe5\xbf\x83\xe3\x80\x82"},
    {"\xd1\x81\xd1\x82\xd0\xbe\xd0\xbb\xd0\xb8\xd1\x86\xd0\xb0 \xd0\xa0\xd0\xbe\xd1\x81\xd1"
     "\x81\xd0\xb8\xd0\xb8",
     "\xd0\x9c\xd0\xbe\xd1\x81\xd0\xba\xd0\xb2\xd0\xb0 \xe2\x80\x94 \xd1\x81\xd1\x82\xd0\xbe"
     "\xd0\xbb\xd0\xb8\xd1\x86\xd0\xb0 \xd0\xa0\xd0\xbe\xd1\x81\xd1\x81\xd0\xb8\xd0\xb8, "
     "\xd0\xb3\xd0\xbe\xd1\x80\xd0\xbe\xd0\xb4 \xd1\x84\xd0\xb5\xd0\xb4\xd0\xb5\xd1\x80\xd0"
     "\xb0\xd0\xbb\xd1\x8c\xd0\xbd\xd0\xbe\xd0\xb3\xd0\xbe \xd0\xb7\xd0\xbd\xd0\xb0\xd1\x87"
     "\xd0\xb5\xd0\xbd\xd0\xb8\xd1\x8f, \xd0\xba\xd1\x80\xd1\x83\xd0\xbf\xd0\xbd\xd0\xb5\xd0"
     "\xb9\xd1\x88\xd0\xb8\xd0\xb9 \xd0\xbf\xd0\xbe \xd1\x87\xd0\xb8\xd1\x81\xd0\xbb\xd0\xb5"
     "\xd0\xbd\xd0\xbd\xd0\xbe\xd1\x81\xd1\x82\xd0\xb8 \xd0\xbd\xd0\xb0\xd1\x81\xd0\xb5\xd0"
     "\xbb\xd0\xb5\xd0\xbd\xd0\xb8\xd1\x8f \xd0\xb3\xd0\xbe\xd1\x80\xd0\xbe\xd0\xb4 \xd1\x81"
     "\xd1\x82\xd1\x80\xd0\xb0\xd0\xbd\xd1\x8b."},
    {"\xd9\x85\xd8\xa7 \xd9\x87\xd9\x8a \xd8\xb9\xd8\xa7\xd8\xb5\xd9\x85\xd8\xa9 \xd9\x85\xd8"
     "\xb5\xd8\xb1",
     "\xd8\xa7\xd9\x84\xd9\x82\xd8\xa7\xd9\x87\xd8\xb1\xd8\xa9 \xd9\x87\xd9\x8a \xd8\xb9\xd8"
     "\xa7\xd8\xb5\xd9\x85\xd8\xa9 \xd8\xac\xd9\x85\xd9\x87\xd9\x88\xd8\xb1\xd9\x8a\xd8\xa9"
     " \xd9\x85\xd8\xb5\xd8\xb1 \xd8\xa7\xd9\x84\xd8\xb9\xd8\xb1\xd8\xa8\xd9\x8a\xd8\xa9 "
     "\xd9\x88\xd8\xa3\xd9\x83\xd8\xa8\xd8\xb1 \xd9\x85\xd8\xaf\xd9\x86\xd9\x87\xd8\xa7."},
    {"best laptop under 500",
     "I bought this laptop three weeks ago & honestly?? It's GREAT for the price!!! Battery "
     "lasts ~9h, screen is ok (250 nits), keyboard feels a bit cheap... 4/5 stars, would "
     "buy again :-)"},
    {"kubernetes pod restart",
     "apiVersion: v1\nkind: Pod\nmetadata:\n  name: web\nspec:\n  containers:\n  - name: "
     "web\n    image: registry.example.com/web:1.4.2\n    resources: {limits: {cpu: \"1\", "
     "memory: 256Mi}}\n    livenessProbe: {httpGet: {path: /livez, port: 8080}}\n"},
    {"select rows by date",
     "SELECT customer_id, COUNT(*) AS orders, SUM(total) FROM orders WHERE created_at >= "
     "'2024-01-01' GROUP BY customer_id HAVING COUNT(*) > 3 ORDER BY 3 DESC LIMIT 10;"},
    {"a", "the"},
    {"love", "Shall I compare thee to a summer's day? Thou art more lovely and more temperate: "
             "rough winds do shake the darling buds of May, and summer's lease hath all too short "
             "a date."},
    {"contract termination notice period",
     "Either party may terminate this Agreement for convenience upon not less than thirty "
     "(30) days' prior written notice to the other party. Sections 4, 7.2 and 9 shall survive "
     "any expiration or termination of this Agreement. Notices shall be deemed given when "
     "delivered by registered mail to the address set forth in Schedule A."},
    {"general relativity",
     "In general relativity gravity is not a force but the curvature of spacetime: matter "
     "tells spacetime how to curve, and spacetime tells matter how to move. Einstein's "
     "field equations relate the curvature tensor to the energy and momentum present. The "
     "theory explained the precession of Mercury's perihelion, predicted the bending of "
     "light by the Sun, which Eddington measured in 1919, gravitational redshift, and gravitational "
     "waves, first observed directly in 2015 by the two LIGO detectors from a merger of "
     "two black holes 1.3 billion light years away. Solutions include the Schwarzschild "
     "metric, the Kerr metric of rotating black holes, and the Friedmann equations of an "
     "expanding universe."},
    {"0 1 2 3", "3.14159 2.71828 1.41421 -1 1e-9 0xff 42 65536 1234567890 12:34:56 2024-02-29 192.0.2.1 "
                "ISBN 978-3-16-148410-0 +49 30 1234567"},
    {"stop words", "the of and to in a is that for it as was with be by on not he i this are or his from "
                   "at which but have an had they you were their one all we can her has there been if "
                   "more when will would who so no"},
    {"What happened in the battle of Hastings, and why did it matter for England?",
     "The Battle of Hastings was fought on 14 October 1066 between the Norman-French army "
     "of William, Duke of Normandy, and an English army under the Anglo-Saxon King Harold "
     "Godwinson. The English held a ridge with a wall of shields for most of the day; Norman "
     "cavalry feigned flight several times to draw them out, and Harold was killed late "
     "in the afternoon, according to tradition by an arrow in the eye. William was crowned "
     "in Westminster Abbey on Christmas Day. The conquest replaced almost the whole English "
     "nobility, brought French words by the thousand into the language, tied the kingdom "
     "to the continent for centuries, and led to the Domesday Book, a survey of land and "
     "taxes that was finished in 1086."},
};

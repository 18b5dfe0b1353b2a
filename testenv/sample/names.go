package sample

// name is a name in its own script and in plain Latin letters, from which user names are made.
type name struct {
	native string
	plain  string
}

// people is a group of names that belong together.
type culture struct {
	language    string // preferredLanguage
	given       []name
	family      []name
	familyFirst bool
	separator   string // between the two names
	weight      int    // how common it is among the generated people
}

// cultures are the names that people get. The first ones are the most common, as in a company in Europe.
//
//nolint:gochecknoglobals // a table
var cultures = [...]culture{
	{language: "en", weight: 30, separator: " ", given: latin("Alice", "Amelia", "Charles", "Edward", "Emma", "Frances", "George", "Grace", "Henry", "Jane", "John", "Katherine", "Leonard", "Margaret", "Oliver", "Patrick", "Rosemary", "Samuel", "Thomas", "William"), family: latin("Archer", "Baker", "Carpenter", "Doe", "Everett-Holmes", "Fletcher", "Greenwood", "Harrington", "Ingram", "Johnson", "Kingsley", "Lovelace", "Montgomery", "Nightingale", "O'Brien", "Pemberton", "Robertson", "Smith", "Thornton", "Whitfield")},
	{language: "de", weight: 14, separator: " ", given: []name{{"Jürgen", "juergen"}, {"Käthe", "kaethe"}, {"Björn", "bjoern"}, {"Günther", "guenther"}, {"Sören", "soeren"}, {"Anna", "anna"}, {"Lukas", "lukas"}, {"Heidi", "heidi"}}, family: []name{{"Müller", "mueller"}, {"Groß", "gross"}, {"Schäfer", "schaefer"}, {"von der Höhe", "vonderhoehe"}, {"Weiß", "weiss"}, {"Öztürk", "oeztuerk"}, {"Bauer", "bauer"}, {"Königsberger", "koenigsberger"}}},
	{language: "fr", weight: 10, separator: " ", given: []name{{"Zoé", "zoe"}, {"François", "francois"}, {"Hélène", "helene"}, {"Jérôme", "jerome"}, {"Chloë", "chloe"}, {"Benoît", "benoit"}, {"Loïc", "loic"}, {"Anaïs", "anais"}}, family: []name{{"Lefèvre", "lefevre"}, {"d’Aubigné", "daubigne"}, {"Châtelain", "chatelain"}, {"Garçon", "garcon"}, {"Noël", "noel"}, {"Dupont", "dupont"}, {"Bérenger", "berenger"}, {"Lœillet", "loeillet"}}},
	{language: "es", weight: 8, separator: " ", given: []name{{"José", "jose"}, {"Íñigo", "inigo"}, {"María del Carmen", "mariadelcarmen"}, {"Begoña", "begona"}, {"Ángel", "angel"}, {"Lucía", "lucia"}}, family: []name{{"Núñez", "nunez"}, {"García Márquez", "garciamarquez"}, {"Peña", "pena"}, {"Ibáñez", "ibanez"}, {"Rodríguez", "rodriguez"}, {"Güell", "guell"}}},
	{language: "pl", weight: 6, separator: " ", given: []name{{"Łukasz", "lukasz"}, {"Małgorzata", "malgorzata"}, {"Świętosława", "swietoslawa"}, {"Grażyna", "grazyna"}}, family: []name{{"Wiśniewski", "wisniewski"}, {"Brzęczyszczykiewicz", "brzeczyszczykiewicz"}, {"Żółć", "zolc"}, {"Dąbrowska", "dabrowska"}}},
	{language: "tr", weight: 5, separator: " ", given: []name{{"İsmail", "ismail"}, {"Işıl", "isil"}, {"Çağrı", "cagri"}, {"Gülşen", "gulsen"}}, family: []name{{"Yıldız", "yildiz"}, {"Şahin", "sahin"}, {"Doğan", "dogan"}, {"İnönü", "inonu"}}},
	{language: "vi", weight: 4, separator: " ", familyFirst: true, given: []name{{"Thị Hương", "huong"}, {"Văn Đức", "duc"}, {"Minh Tuấn", "tuan"}}, family: []name{{"Nguyễn", "nguyen"}, {"Trần", "tran"}, {"Phạm", "pham"}}},
	{language: "el", weight: 4, separator: " ", given: []name{{"Ελένη", "eleni"}, {"Γιώργος", "giorgos"}, {"Οδυσσέας", "odysseas"}, {"Ανδρέας", "andreas"}}, family: []name{{"Παπαδόπουλος", "papadopoulos"}, {"Οικονόμου", "oikonomou"}, {"Ιωάννου", "ioannou"}, {"Βασιλείου", "vasileiou"}}},
	{language: "ru", weight: 4, separator: " ", given: []name{{"Наталья", "natalya"}, {"Дмитрий", "dmitry"}, {"Алёна", "alyona"}, {"Фёдор", "fyodor"}}, family: []name{{"Достоевский", "dostoevsky"}, {"Щербакова", "shcherbakova"}, {"Йовович", "yovovich"}, {"Кузнецов", "kuznetsov"}}},
	{language: "ar", weight: 3, separator: " ", given: []name{{"محمد", "muhammad"}, {"فاطمة", "fatima"}, {"عبد الرحمن", "abdulrahman"}}, family: []name{{"الخوارزمي", "alkhwarizmi"}, {"بن رشد", "binrushd"}, {"حسين", "hussein"}}},
	{language: "he", weight: 2, separator: " ", given: []name{{"שרה", "sarah"}, {"דוד", "david"}, {"יעקב", "yaakov"}}, family: []name{{"כהן", "cohen"}, {"בן־גוריון", "bengurion"}, {"לוי", "levi"}}},
	{language: "zh", weight: 3, familyFirst: true, given: []name{{"小明", "xiaoming"}, {"丽", "li"}, {"𠮷祥", "jixiang"}}, family: []name{{"王", "wang"}, {"欧阳", "ouyang"}, {"张", "zhang"}}},
	{language: "ja", weight: 2, separator: " ", familyFirst: true, given: []name{{"太郎", "taro"}, {"さくら", "sakura"}, {"ケンジ", "kenji"}}, family: []name{{"山田", "yamada"}, {"髙橋", "takahashi"}, {"渡邊", "watanabe"}}},
	{language: "ko", weight: 2, familyFirst: true, given: []name{{"지훈", "jihun"}, {"서연", "seoyeon"}}, family: []name{{"김", "kim"}, {"황보", "hwangbo"}}},
	{language: "hi", weight: 2, separator: " ", given: []name{{"अर्जुन", "arjun"}, {"श्रुति", "shruti"}, {"लक्ष्मी", "lakshmi"}}, family: []name{{"शर्मा", "sharma"}, {"कृष्णमूर्ति", "krishnamurthy"}}},
	{language: "th", weight: 1, separator: " ", given: []name{{"สมชาย", "somchai"}, {"กัญญา", "kanya"}}, family: []name{{"ศรีสุวรรณ", "srisuwan"}, {"วงศ์ใหญ่", "wongyai"}}},
}

// latin makes names that are plain already.
func latin(names ...string) []name {
	made := make([]name, 0, len(names))
	for _, n := range names {
		made = append(made, name{native: n, plain: plain(n)})
	}
	return made
}

// plain keeps the ASCII letters, in lower case.
func plain(s string) string {
	kept := make([]byte, 0, len(s))
	for _, c := range []byte(s) {
		switch {
		case c >= 'A' && c <= 'Z':
			kept = append(kept, c+'a'-'A')
		case c >= 'a' && c <= 'z':
			kept = append(kept, c)
		}
	}
	return string(kept)
}

// Words that titles, departments and descriptions are made of.
//
//nolint:gochecknoglobals // tables
var (
	departments = [...]string{
		"Sales", "Finance", "Développement", "Kundendienst", "Логистика", "研究开发", "Legal, Risk & Compliance",
		"Human Resources", "Operations", "Marketing", "Οικονομικά", "Purchasing", "Quality", "Facilities", "IT", "Board",
		"Security", "Training", "Export", "Archive",
	}
	titles = [...]string{
		"Engineer", "Accountant", "Head of Unit", "Ingénieure", "Sachbearbeiter", "Analyst", "Nurse", "Clerk", "Trainee",
		"Архитектор", "Designer", "Driver",
	}
	towns = [...]string{"Berlin", "Zürich", "Łódź", "Αθήνα", "Toronto", "São Paulo", "東京", "Örebro", "القاهرة", "Leeds"}
	words = [...]string{
		"knows", "the", "archive", "and", "answers", "questions", "about", "contracts", "since", "many", "years",
		"on", "Tuesdays", "écrit", "souvent", "für", "Kollegen", "в", "отделе", "—", "„Anführung“", "tel.", "ext.", "<42>",
	}
)

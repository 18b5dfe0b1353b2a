package main

import (
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"portico/testenv"
)

// What the people of the tests know, in AccountHub as here.
const (
	importTOTP    = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
	importPIN     = "0420"
	importKey     = "OldKeyOfTheWebApp1"
	importBadKey  = "two words"
	importAppPass = "AB12C-34DEF-56789-0ABCD"
	importMobile  = "0123456789ABCDEF0123"
)

func importSecrets() []string {
	return []string{importTOTP, importPIN, importKey, importBadKey, importAppPass, importMobile, "p%40ss", "p@ss", "LEAKEDKEY"}
}

// schema20 is what AccountHub 2.0 has, schema22 what 2.2 has besides.
const schema20 = `
CREATE TABLE accounts (uid int NOT NULL AUTO_INCREMENT PRIMARY KEY, username varchar(190) NOT NULL, password text,
  realname varchar(200) NOT NULL, email varchar(255) NOT NULL DEFAULT 'NOEMAIL@EXAMPLE.COM', authsecret varchar(100),
  pin varchar(10), phone1 varchar(45), phone2 varchar(45), acctstatus int NOT NULL DEFAULT 1, accttype int NOT NULL DEFAULT 1,
  deleted tinyint(1) NOT NULL DEFAULT 0) DEFAULT CHARSET=utf8mb4;
CREATE TABLE apikeys (` + "`key`" + ` varchar(60) NOT NULL PRIMARY KEY, notes text);
CREATE TABLE permissions (permid int NOT NULL PRIMARY KEY, permcode varchar(45) NOT NULL, perminfo varchar(200));
CREATE TABLE assigned_permissions (uid int NOT NULL, permid int NOT NULL, PRIMARY KEY (uid, permid));
CREATE TABLE ` + "`groups`" + ` (groupid int NOT NULL PRIMARY KEY, groupname varchar(45) NOT NULL);
CREATE TABLE assigned_groups (groupid int NOT NULL, uid int NOT NULL, PRIMARY KEY (groupid, uid));
CREATE TABLE managers (managerid int NOT NULL, employeeid int NOT NULL, PRIMARY KEY (managerid, employeeid));
CREATE TABLE mobile_codes (codeid int NOT NULL AUTO_INCREMENT PRIMARY KEY, uid int NOT NULL, code varchar(45) NOT NULL,
  description varchar(255));
CREATE TABLE notifications (notificationid int NOT NULL AUTO_INCREMENT PRIMARY KEY, uid int NOT NULL,
  timestamp timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP, title varchar(255) NOT NULL, content tinytext NOT NULL,
  url varchar(255), seen tinyint(1) NOT NULL DEFAULT 0, ` + "`sensitive`" + ` tinyint(1) NOT NULL DEFAULT 0) DEFAULT CHARSET=utf8mb4;
CREATE TABLE authlog (logid int NOT NULL AUTO_INCREMENT PRIMARY KEY, logtime datetime NOT NULL, logtype int NOT NULL,
  uid int, ip varchar(45), otherdata varchar(255));

INSERT INTO accounts (uid, username, realname, authsecret, pin, acctstatus, deleted) VALUES
  (10, 'admin', 'Ada Min', '` + importTOTP + `', NULL, 1, 0),
  (20, 'JDoe', 'John Doe', NULL, '` + importPIN + `', 1, 0),
  (30, 'jadoe', 'Jane Doe', NULL, '1234567890', 5, 0),
  (40, 'expired', 'Ex Pired', 'not base32!', NULL, 4, 0),
  (50, 'gone', 'Gone Long', NULL, '1111', 1, 0),
  (60, 'admin', 'Old Admin', NULL, NULL, 1, 1),
  (70, 'jdoe', 'John Again', NULL, NULL, 1, 0);
INSERT INTO apikeys VALUES ('` + importKey + `', 'Web app');
INSERT INTO permissions VALUES (1, 'ADMIN', 'Everything'), (900, 'own_code', 'Of an app of ours'), (901, 'bad code', '');
INSERT INTO assigned_permissions VALUES (10, 1), (20, 900), (20, 901), (50, 1), (99, 1);
INSERT INTO ` + "`groups`" + ` VALUES (5, 'sales'), (6, 'Chess club');
INSERT INTO assigned_groups VALUES (5, 20), (6, 20), (6, 50);
INSERT INTO managers VALUES (20, 30), (10, 20), (50, 20), (20, 20);
INSERT INTO mobile_codes VALUES (3, 20, '` + importMobile + `', 'Phone');
INSERT INTO notifications (notificationid, uid, timestamp, title, content, url, seen, ` + "`sensitive`" + `) VALUES
  (7, 20, '2019-07-01 09:30:00', 'Schicht geändert', 'Früh', '', 0, 1), (8, 20, '2019-06-01 09:30:00', 'Old', 'Seen', 'https://x/', 1, 0),
  (9, 50, '2019-06-01 09:30:00', 'Nobody', 'x', '', 0, 0);
INSERT INTO authlog VALUES (1, '2019-06-01 08:00:00', 1, 20, '192.0.2.7', ''), (2, '2019-06-01 08:01:00', 14, NULL, '192.0.2.8', 'LEAKEDKEY'),
  (3, '2019-06-01 08:02:00', 2, 50, '192.0.2.9', 'gone'), (4, '2019-06-01 08:03:00', 77, 20, '192.0.2.9', 'odd');
`

const schema22 = `
ALTER TABLE apikeys ADD COLUMN type varchar(45) NOT NULL DEFAULT 'FULL';
UPDATE apikeys SET type = 'AUTH';
INSERT INTO apikeys VALUES ('` + importBadKey + `', 'Broken', 'FULL');
CREATE TABLE apppasswords (passid int NOT NULL AUTO_INCREMENT PRIMARY KEY, hash varchar(255) NOT NULL, uid int NOT NULL,
  description varchar(255) NOT NULL);
CREATE TABLE userloginkeys (id int);
`

// newAccountHub makes the database of an AccountHub installation.
func newAccountHub(t *testing.T, version string) (address string) {
	t.Helper()
	address = testenv.MariaDB(t)
	db := testenv.OpenMariaDBDatabase(t, address)
	exec := func(statements string, args ...any) {
		t.Helper()
		if _, err := db.ExecContext(t.Context(), statements, args...); err != nil {
			t.Fatal(err)
		}
	}
	exec(schema20)
	if version == "2.0" {
		exec("ALTER TABLE accounts DROP COLUMN deleted; ALTER TABLE notifications DROP COLUMN `sensitive`; DELETE FROM accounts WHERE uid = 60")
		return address
	}
	exec(schema22)
	hash, err := bcrypt.GenerateFromPassword([]byte(importAppPass), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	php := strings.Replace(string(hash), "$2a$", "$2y$", 1)
	exec("INSERT INTO apppasswords VALUES (4, ?, 20, 'Mail &amp; calendar'), (5, 'plain', 20, 'Broken')", php)
	return address
}

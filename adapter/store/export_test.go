package store

// For tests outside the package.
var (
	OpenWith           = open
	EmbeddedMigrations = embeddedMigrations
	NewBox             = newBox
	CheckSum           = checkSum
)

// Seal and Unseal reach a box.
func (b *box) Seal(plain []byte, table, column, row string) []byte {
	return b.seal(plain, table, column, row)
}

// Unseal is the reverse of Seal.
func (b *box) Unseal(sealed []byte, table, column, row string) ([]byte, error) {
	return b.open(sealed, table, column, row)
}

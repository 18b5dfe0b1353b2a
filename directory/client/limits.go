package client

import ber "github.com/go-asn1-ber/asn1-ber"

const (
	maxPacketBytes = 64 << 20 // a group of a million members
	maxNesting     = 64       // no LDAP answer is deeper than ten; the rest is for filters
)

// LimitDecoder lowers the limits of the BER decoder that all LDAP connections
// of the process share: 64 MiB a message (2 GiB otherwise) and 64 levels. They
// are variables of the decoder's package, so main calls this once, before any
// connection.
func LimitDecoder() {
	if ber.MaxPacketLengthBytes == maxPacketBytes && ber.MaxNestingDepth == maxNesting {
		return // connections may be reading by now
	}
	ber.MaxPacketLengthBytes = maxPacketBytes
	ber.MaxNestingDepth = maxNesting
}

package embedded

import "fmt"

// Result codes of RFC 4511 §4.1.9 and of the extensions that are spoken here.
const (
	resultSuccess                = 0
	resultOperationsError        = 1
	resultProtocolError          = 2
	resultTimeLimit              = 3
	resultSizeLimit              = 4
	resultCompareFalse           = 5
	resultCompareTrue            = 6
	resultAuthMethodNotSupported = 7
	resultStrongerAuthRequired   = 8
	resultReferral               = 10
	resultAdminLimit             = 11
	resultCriticalExtension      = 12
	resultNoSuchAttribute        = 16
	resultUndefinedType          = 17
	resultInappropriateMatching  = 18
	resultConstraintViolation    = 19
	resultValueExists            = 20
	resultInvalidSyntax          = 21
	resultNoSuchObject           = 32
	resultInvalidDN              = 34
	resultInappropriateAuth      = 48
	resultInvalidCredentials     = 49
	resultInsufficientAccess     = 50
	resultBusy                   = 51
	resultUnavailable            = 52
	resultUnwilling              = 53
	resultNamingViolation        = 64
	resultObjectClassViolation   = 65
	resultNotAllowedOnNonLeaf    = 66
	resultNotAllowedOnRDN        = 67
	resultEntryExists            = 68
	resultClassModsProhibited    = 69
	resultAffectsMultipleDSAs    = 71
	resultOther                  = 80
	resultCanceled               = 118
	resultNoSuchOperation        = 119
	resultTooLate                = 120
	resultCannotCancel           = 121
	resultAssertionFailed        = 122
	resultSyncRefreshRequired    = 4096
)

// fault is an operation's outcome other than success.
type fault struct {
	code      int
	matched   string // matchedDN
	text      string // diagnosticMessage
	referrals []string
}

// Error gives the code and the diagnostic message.
func (f *fault) Error() string { return fmt.Sprintf("result code %d: %s", f.code, f.text) }

// refuse makes a fault.
func refuse(code int, format string, args ...any) *fault {
	return &fault{code: code, text: fmt.Sprintf(format, args...)}
}

// missing is the answer to a name that is not there: the nearest ancestor that
// is, told only to those who may see it.
func missing(matched string) *fault { return &fault{code: resultNoSuchObject, matched: matched} }

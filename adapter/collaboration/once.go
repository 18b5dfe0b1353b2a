package collaboration

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"

	"portico/adapter/store"
)

// once runs a creation in one transaction. With an Idempotency-Key the same
// request again gets the first answer, also when both come at once: the answer is
// stored together with what was made. Another request under the same key is a
// Conflict.
func once[T any](ctx context.Context, s *Collaborations, caller *Caller, what string,
	do func(context.Context, *store.CollabTx) (T, error),
) (T, error) {
	var result T
	name := sha256.Sum256([]byte(caller.Once))
	err := s.write(ctx, what, func(ctx context.Context, c *store.CollabTx) error {
		result = *new(T) // of an attempt before
		if err := mayWrite(ctx, c, caller); err != nil {
			return err
		}
		if caller.Once == "" {
			var err error
			result, err = do(ctx, c)
			return err
		}
		fingerprint, answer, err := c.Answered(ctx, caller.KeyID, name[:])
		switch {
		case err == nil && subtle.ConstantTimeCompare(fingerprint, caller.Fingerprint) != 1:
			return conflict("idempotency_key", "this Idempotency-Key was used for another request")
		case err == nil:
			return json.Unmarshal([]byte(answer), &result)
		case !missing(err):
			return err
		}

		if err := c.ClaimAnswer(ctx, caller.KeyID, name[:], caller.Fingerprint); err != nil {
			return err
		}
		if result, err = do(ctx, c); err != nil {
			return err
		}
		stored, err := json.Marshal(result)
		if err != nil {
			return err
		}
		return c.PutAnswer(ctx, caller.KeyID, name[:], string(stored))
	})
	return result, err
}

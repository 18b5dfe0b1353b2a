package httpapi

import (
	"context"
	"log/slog"
)

// LogHandler wraps a handler so that every record whose context belongs to a
// request carries request_id and client. Wrapping twice changes nothing.
func LogHandler(inner slog.Handler) slog.Handler {
	if _, ok := inner.(*logHandler); ok {
		return inner
	}
	return &logHandler{inner}
}

type logHandler struct{ slog.Handler }

// Handle adds the attributes of the request, if there is one.
func (h *logHandler) Handle(ctx context.Context, record slog.Record) error {
	if e, ok := ctx.Value(exchangeKey{}).(*Exchange); ok {
		record.AddAttrs(slog.String("request_id", e.requestID), slog.String("client", e.client))
	}
	return h.Handler.Handle(ctx, record)
}

// WithAttrs keeps the wrapping.
func (h *logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &logHandler{h.Handler.WithAttrs(attrs)}
}

// WithGroup keeps the wrapping; request_id and client then stand in the group.
func (h *logHandler) WithGroup(name string) slog.Handler {
	return &logHandler{h.Handler.WithGroup(name)}
}

// serverLog takes the lines that net/http writes about connections. Handshakes
// that fail are everyday noise; the rest is for the operator.
type serverLog struct{ log *slog.Logger }

// Write logs one line.
func (l serverLog) Write(p []byte) (int, error) {
	const noise = "http: TLS handshake error"
	text := string(p[:min(len(p), 512)])
	level := slog.LevelWarn
	if len(text) >= len(noise) && text[:len(noise)] == noise {
		level = slog.LevelDebug
	}
	l.log.Log(context.Background(), level, "http server", "text", text)
	return len(p), nil
}

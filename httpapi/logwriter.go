package httpapi

import (
	"io"
	"sync"
	"time"
)

// LogWriter gathers log lines and writes them in larger pieces, because one system
// call per request is a good part of what a request costs. Lines wait for Delay at
// most; a process that is killed loses those. It may be used by many goroutines.
type LogWriter struct {
	mu    sync.Mutex
	w     io.Writer
	delay time.Duration
	buf   []byte
	timer *time.Timer // runs while buf holds something
	err   error       // of the last write
}

// logBuffer is how much is gathered before it is written without waiting.
const logBuffer = 32 << 10

// NewLogWriter writes to w at the latest when a line is delay old; 0 is 100 ms.
func NewLogWriter(w io.Writer, delay time.Duration) *LogWriter {
	if delay <= 0 {
		delay = 100 * time.Millisecond
	}
	return &LogWriter{w: w, delay: delay, buf: make([]byte, 0, logBuffer)}
}

// Write takes whole lines. Its error is that of an earlier write, once.
func (l *LogWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.buf)+len(p) > cap(l.buf) {
		l.flush()
	}
	if len(p) > cap(l.buf) {
		return l.w.Write(p)
	}
	if len(l.buf) == 0 {
		if l.timer == nil {
			l.timer = time.AfterFunc(l.delay, func() { _ = l.Flush() })
		} else {
			l.timer.Reset(l.delay)
		}
	}
	l.buf = append(l.buf, p...)
	err := l.err
	l.err = nil
	return len(p), err
}

// Flush writes what has been gathered. Call it before the process ends.
func (l *LogWriter) Flush() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.flush()
	err := l.err
	l.err = nil
	return err
}

func (l *LogWriter) flush() {
	if len(l.buf) == 0 {
		return
	}
	if _, err := l.w.Write(l.buf); err != nil {
		l.err = err
	}
	l.buf = l.buf[:0]
}

package importer

import (
	"context"
	"fmt"

	"portico/adapter"
	"portico/adapter/store"
)

// logPage is how many records of the log are read at a time.
const logPage = store.MaxImport

// logMark begins the text of records that were taken over.
const logMark = "imported from AccountHub: "

// log appends the other installation's log to the security log, in its order.
func (r *run) log(ctx context.Context) error {
	if !r.opts.Log {
		return nil
	}
	last, err := r.Store.ImportedLog(ctx, foreign)
	if err != nil {
		return err
	}
	if last > 0 {
		r.report.LogBefore = last
	}
	for done := 0; ; {
		records, next, err := r.readLog(ctx, last)
		if err != nil || next == last {
			return err
		}
		if r.opts.Apply {
			if err := r.Store.ImportRecords(ctx, foreign, last, next, records); err != nil {
				return err
			}
		}
		r.report.count("log records", store.TakenNow, len(records))
		last = next
		done += len(records)
		r.opts.Progress("log records", done, 0)
	}
}

// readLog reads the records after one, and gives the number of the last.
func (r *run) readLog(ctx context.Context, after int64) (records []store.Record, last int64, err error) {
	last = after
	if !r.source.columns["authlog"]["logid"] {
		return nil, last, nil
	}
	err = r.source.query(ctx, "authlog", []column{
		{"logid", "0"}, {"logtime", ""}, {"logtype", "0"}, {"uid", ""}, {"ip", ""}, {"otherdata", ""},
	}, " WHERE logid > ?", []string{"logid"}, []any{after}, func(v []string) error {
		last = number(v[0])
		kind := int(number(v[2]))
		if kind < 1 || kind > int(adapter.EventMobileBadKey) {
			r.report.count("log records", store.TakenNot, 1)
			r.report.problem("log records", last, "", fmt.Sprintf("type %d is unknown", kind))
			return nil
		}
		records = append(records, r.record(kind, v))
		return nil
	})
	return records, last, err
}

// record turns a row of the log into a record. AccountHub wrote rejected keys
// in clear, so their text stays behind; the number of somebody who does not have
// it here becomes text.
func (r *run) record(kind int, v []string) store.Record {
	text := v[5]
	switch adapter.EventType(kind) {
	case adapter.EventAPIBadKey, adapter.EventMobileBadKey:
		text = "the text was left behind, it may hold a key"
	}
	uid := number(v[3])
	if uid != 0 && !r.taken[uid] {
		text = fmt.Sprintf("number %d there; %s", uid, text)
		uid = 0
	}
	return store.Record{At: r.timeOf(v[1]), Type: kind, UID: uid, Address: v[4], Text: logMark + text}
}

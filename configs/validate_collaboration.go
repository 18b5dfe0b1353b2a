package configs

import (
	"slices"
	"strings"
	"time"
)

// day is what longer periods are counted in.
const day = 24 * time.Hour

// validateCollaboration checks the section of the collaboration API.
func validateCollaboration(c *Config, r *report) {
	const key = "apis.collaboration."
	a := &c.APIs.Collaboration
	period := func(name string, d time.Duration) check { return timeBetween(key+name, d, time.Minute, 3650*day) }
	r.table(
		oneOf(key+"user_id", a.UserID, "number", "username", "id"),
		between(key+"invitation_days", a.InvitationDays, 1, 3650),
		period("invitation_remind", a.InvitationRemind),
		period("invitation_purge", a.InvitationPurge),
		period("warn", a.Warn),
		period("purge", a.Purge),
		period("idle", a.Idle),
		period("membership_warn", a.MembershipWarn),
		period("membership_purge", a.MembershipPurge),
		timeBetween(key+"job_interval", a.JobInterval, time.Second, day),
		check{
			a.Idle <= a.Warn, key + "idle",
			"must be longer than warn; else people are warned of what happened already",
		},
	)
	for name, dir := range map[string]string{"sign_up_directory": a.SignUpDirectory, "write_directory": a.WriteDirectory} {
		if dir != "" && !slices.ContainsFunc(c.Directories, func(d Directory) bool { return d.Name == dir }) {
			r.fault(key+name, "%s is not the name of a directory", shown(dir))
		}
	}
	if a.WriteContainer != "" {
		validateContainer(c, r)
	}
}

// validateContainer checks where collaborations are written: below the groups of a
// directory that may be written, as nothing else is read.
func validateContainer(c *Config, r *report) {
	const key = "apis.collaboration.write_container"
	a := &c.APIs.Collaboration
	at := slices.IndexFunc(c.Directories, func(d Directory) bool {
		return d.Write.Enabled && (a.WriteDirectory == "" || d.Name == a.WriteDirectory)
	})
	if at < 0 {
		r.fault(key, "needs a directory with write.enabled")
		return
	}
	text := strings.ReplaceAll(a.WriteContainer, "{org}", "org")
	if strings.ContainsAny(text, "{}") {
		r.fault(key, "%s has a placeholder that is not {org}", shown(a.WriteContainer))
		return
	}
	d := &c.Directories[at]
	preset, err := d.Resolve()
	if err != nil {
		return // it has its fault already
	}
	base := r.dn("directories["+itoa(at)+"].groups.base_dn", preset.Groups.BaseDN)
	r.below(key, text, base)
}

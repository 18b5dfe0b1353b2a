package configs

import "time"

// Default is the configuration with nothing written: every default that there
// is stands here and in DefaultDirectory. It is not valid by itself, for it has
// no directory.
func Default() *Config {
	return &Config{
		Listen:  "127.0.0.1:8080",
		DataDir: "/var/lib/portico",
		APIs: APIs{
			Action: ActionAPI{
				Enabled:       true,
				Mobile:        true,
				Language:      "en",
				Title:         "Portico",
				Timezone:      "UTC",
				LoginInterval: 2 * time.Second,
			},
			Integration:    IntegrationAPI{Enabled: true, Prefix: "/$intapi", MailSignIn: true, HiddenMark: "hidden"},
			UserManagement: UserManagementAPI{Enabled: true, Account: "example", BareUsername: true, InvitationLifetime: 14 * 24 * time.Hour},
			Collaboration: CollaborationAPI{
				Enabled: true, UserID: "number", InvitationDays: 15,
				InvitationRemind: 5 * day, InvitationPurge: 30 * day, Warn: 5 * day, Purge: 90 * day, Idle: 360 * day,
				MembershipWarn: 14 * day, MembershipPurge: 90 * day, JobInterval: time.Minute,
			},
			SCIM: SCIMAPI{
				Enabled: true, Prefix: "/scim/v2", MaxResults: 1000, PageSize: 100, CursorTTL: 10 * time.Minute,
				MaxBody: 4 << 20, BulkOperations: 1000, BulkPayload: 8 << 20, MembersInline: 10_000, ScanLimit: 200_000, Rate: 10_000,
			},
		},
		Pages: Pages{IdleTimeout: 30 * time.Minute, MaxAge: 12 * time.Hour, FreshFor: 15 * time.Minute, MinPasswordLength: 8},
		Limits: Limits{
			Body:              1 << 20,
			Header:            32 << 10,
			Concurrency:       512,
			Closings:          500,
			ReadHeaderTimeout: 5 * time.Second,
			ReadTimeout:       30 * time.Second,
			WriteTimeout:      time.Minute,
			IdleTimeout:       2 * time.Minute,
			ShutdownTimeout:   20 * time.Second,
		},
		Log: Log{Level: "info", Format: "text"},
	}
}

// DefaultDirectory is a directory of which nothing was written.
func DefaultDirectory() Directory {
	return Directory{
		Sync: Sync{Mode: "auto"},
		Pool: DirectoryPool{
			Size:        8,
			BindSize:    32,
			Timeout:     10 * time.Second,
			DialTimeout: 3 * time.Second,
			IdleTimeout: 5 * time.Minute,
		},
	}
}

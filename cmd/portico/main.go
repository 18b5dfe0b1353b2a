// Command portico puts documented HTTP APIs in front of an LDAP directory.
//
// This package reads flags and the configuration, hands each part of the
// program what it needs, and turns signals into an orderly end. It decides
// nothing about people, groups or protocols.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"portico/directory/client"
)

func main() {
	os.Exit(run(context.Background(), os.Args[1:], os.Environ(), os.Stdout, os.Stderr))
}

// program is what every command is given of the world outside.
type program struct {
	environ []string
	out     io.Writer // results
	err     io.Writer // everything else
}

// errReported ends a command with exit code 1 after it has said why.
var errReported = errors.New("reported")

// run is the whole program; tests call it in process. The exit code is 0, 1 for
// a failure, 2 for a command line that is wrong.
func run(ctx context.Context, args, environ []string, out, errOut io.Writer) int {
	client.LimitDecoder()
	p := &program{environ: environ, out: out, err: errOut}
	root := p.rootCommand()
	root.SetArgs(args)
	root.SetOut(out)
	root.SetErr(errOut)
	err := root.ExecuteContext(ctx)
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errReported):
		return 1
	case errors.As(err, new(usageError)):
		fmt.Fprintf(errOut, "portico: %v\n", err)
		return 2
	default:
		fmt.Fprintf(errOut, "portico: %v\n", err)
		return 1
	}
}

// usageError is a command line that cannot be understood.
type usageError struct{ error }

func (p *program) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "portico",
		Short:         "Documented APIs in front of an LDAP directory",
		Version:       version(),
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%w; see %s --help", err, cmd.CommandPath())}
	})
	root.AddCommand(
		p.demoCommand(),
		p.serveCommand(),
		p.checkCommand(),
		p.explainCommand(),
		p.keyCommand(),
		p.importCommand(),
		p.userCommand(),
		p.auditCommand(),
		p.mailCommand(),
		p.orgCommand(),
		p.projectCommand(),
		p.collaborationCommand(),
		p.serviceCommand(),
		p.invitationCommand(),
		p.sampleCommand(),
	)
	strict(root)
	return root
}

// strict makes wrong arguments, and words that are no command, a usageError, in
// every command below cmd.
func strict(cmd *cobra.Command) {
	check := cmd.Args
	if !cmd.Runnable() { // a group of commands
		check = cobra.NoArgs
		cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	}
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if check == nil {
			return nil
		}
		if err := check(cmd, args); err != nil {
			return usageError{fmt.Errorf("%w; see %s --help", err, cmd.CommandPath())}
		}
		return nil
	}
	for _, sub := range cmd.Commands() {
		strict(sub)
	}
}

// version is the module's version and commit as the Go tool stamped them.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	var v strings.Builder
	v.WriteString(info.Main.Version)
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			v.WriteString(" " + s.Value[:12])
		}
	}
	return v.String()
}

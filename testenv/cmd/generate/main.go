// Command generate writes a made-up directory as LDIF, for slapadd or ldapadd:
//
//	go run ./testenv/cmd/generate -people 100000 > people.ldif
//
// The same flags give the same bytes. Everybody's password is the user name and "-pw". What is in such a directory
// stands at the package sample.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"portico/testenv/sample"
)

func main() {
	err := run(os.Args[1:], os.Stdout)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

// run is main without the process around it.
func run(args []string, out io.Writer) error {
	var options sample.Options
	flags := flag.NewFlagSet("generate", flag.ContinueOnError)
	flags.IntVar(&options.People, "people", 1000, "number of `people`")
	flags.IntVar(&options.Groups, "groups", 0, "number of `groups`; 0: one for 20 people, negative: none")
	flags.StringVar(&options.BaseDN, "base-dn", "dc=example,dc=com", "`DN` of the base")
	flags.Uint64Var(&options.Seed, "seed", 1, "another `number`, another directory")
	flags.BoolVar(&options.Posix, "posix", false, "with posixAccount and posixGroup")
	flags.BoolVar(&options.States, "states", false, "with some disabled accounts and some that must change the password")
	flags.BoolVar(&options.Base, "base", false, "write the base and its two containers too")
	if err := flags.Parse(args); err != nil {
		return fmt.Errorf("arguments: %w", err)
	}
	return sample.New(options).WriteLDIF(out)
}

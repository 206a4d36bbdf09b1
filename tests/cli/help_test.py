#!/usr/bin/env python3
"""Help, suggestions, version and completion: what is made from the command table."""
import os
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from cli_case import CliCase

COMMANDS = """init, import, export, query, stats, stats slow, stats queries, doctor, verify,
    backup, train, config show, config doc, completion, manual, help, version, episode start,
    episode step, episode complete, episode show, episode list, episode delete, pattern put,
    pattern show, pattern list, pattern delete, heuristic put, heuristic show, heuristic list,
    heuristic delete, relation put, relation show, relation list, relation delete, tag add, tag
    remove, tag list, top, sync, sync status, sync collect, sync retry, conflicts list, conflicts
    show, conflicts resolve, metrics serve""".replace("\n", " ").split(",")


class Help(CliCase):
    def test_alone__prints_examples_before_commands_on_one_screen(self):
        text = self.good().out
        self.assertLess(text.index("Examples:"), text.index("Commands:"))
        self.assertLess(len(text.splitlines()), 40)
        self.assertIn("\n  query ", text)

    def test_every_command__is_explained_with_examples_first_in_80_columns(self):
        everything = self.good("help").out
        for command in COMMANDS:
            words = command.split()
            with self.subTest(command=command):
                text = self.good("help", *words).out
                self.assertEqual(text, self.good(*words, "--help").out)
                self.assertLess(text.index("Examples:"), text.index("Usage:"))
                self.assertIn(f"  mneme {' '.join(words)}", text)
                self.assertIn(f"\n  {' '.join(words)} ", everything)
                self.assertLessEqual(max(map(len, text.splitlines())), 80)

    def test_group__lists_its_commands(self):
        self.assertIn("episode complete", self.good("help", "episode").out)
        self.assertEqual(self.good("episode", "-h").out, self.good("help", "episode").out)
        self.bad(2, "'episode' needs one of start, step", "episode")

    def test_settings__are_explained_with_their_variables(self):
        text = self.good("help", "config", "show").out
        section = ""
        for line in self.good("--json", "config", "show").lines:
            name, key = line["name"].split(".")
            if name != section:
                text = text[text.index(f"\n[{name}]\n"):]
                section = name
            self.assertRegex(text, rf"\n  {key}   {line['environment']}\b[^\n]*\n      [A-Za-z]")

    def test_help__wins_over_what_is_missing_or_misconfigured(self):
        self.good("episode", "start", "--help", environment={"MNEME_DURABILITY": "never"})

    def test_bench__explains_itself(self):
        self.assertIn("bench", self.good("bench", "--help").out)

    def test_version__is_printed_in_all_three_ways(self):
        text = self.good("version").out
        self.assertRegex(text, r"^mneme \d+\.\d+\.\d+\n$")
        self.assertEqual(self.good("--version").out, text)
        self.assertEqual(self.good("--json", "version").lines, [{"version": text[6:-1]}])


class Suggestions(CliCase):
    def test_near_command__is_suggested(self):
        for typed, meant in (("querry", "query"), ("qeury", "query"), ("improt", "import"),
                             ("stat", "stats"), ("verfy", "verify"), ("conf", "config show"),
                             ("start", "episode start")):
            self.bad(2, f"no command '{typed}'; did you mean '{meant}'?", typed)
        self.bad(2, "did you mean 'episode start'?", "episode", "strat")
        self.bad(2, "did you mean 'query'?", "help", "querry")

    def test_far_command__is_not_guessed(self):
        run = self.bad(2, "no command 'frobnicate'; see `mneme help`", "frobnicate")
        self.assertNotIn("did you mean", run.err)

    def test_near_option__is_suggested(self):
        self.bad(2, "no option '--limt' of 'query'; did you mean '--limit'?", "query", "--limt=3")
        self.bad(2, "did you mean '--store'?", "--sotre", "x", "query")
        self.bad(2, "no option '-x' of 'query'", "query", "-x")

    def test_secret__is_refused_as_an_option_and_not_repeated(self):
        for arguments in (["--token", "SECRET"], ["--token=SECRET"], ["--auth-token=SECRET"],
                          ["--password", "SECRET"]):
            for line in ([*arguments, "query"], ["query", *arguments]):
                run = self.bad(2, "--token-file PATH", *line)
                self.assertIn("$MNEME_TOKEN", run.err)
                self.assertNotIn("SECRET", run.err)

    def test_misuse__names_what_is_expected(self):
        self.bad(2, "'episode start' needs --task TEXT", "episode", "start")
        self.bad(2, "--task needs a value: --task TEXT", "episode", "start", "--task")
        self.bad(2, "'episode show' needs ID", "episode", "show")
        self.bad(2, "does not know what to do with 'more'", "query", "more")
        self.bad(2, "--json takes no value", "query", "--json=yes")
        self.bad(2, "--limit was given twice", "query", "--limit", "1", "--limit", "2")

    def test_global_options__may_stand_before_or_after_the_command(self):
        other = self.directory / "other.mdb"
        self.good("--store", other, "init")
        self.assertEqual(self.good("stats", "--json", "--store", other).lines,
                         self.good("--json", f"--store={other}", "stats").lines)
        self.assertFalse(self.store.exists())


class Completion(CliCase):
    def script(self, shell):
        path = self.directory / f"completion.{shell}"
        path.write_text(self.good("completion", shell).out)
        return path

    def complete_in_bash(self, *words):
        """The answers of bash for the last of these words."""
        program = ('source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _mneme; '
                   'printf "%s\\n" "${COMPREPLY[@]}"')
        done = subprocess.run(["bash", "-c", program, "bash", self.script("bash"), *words],
                              capture_output=True, cwd=self.directory, check=True)
        self.assertEqual(done.stderr, b"")
        return done.stdout.decode().split()

    def test_bash__answers_commands_options_and_values(self):
        subprocess.run(["bash", "-n", self.script("bash")], check=True)
        self.assertEqual(self.complete_in_bash("mneme", "ep"), ["episode"])
        self.assertEqual(self.complete_in_bash("mneme", "episode", "st"), ["start", "step"])
        self.assertEqual(self.complete_in_bash("mneme", "query", "--lim"), ["--limit"])
        self.assertEqual(self.complete_in_bash("mneme", "stats", "--no-ca"), ["--no-cache"])
        self.assertEqual(self.complete_in_bash("mneme", "query", "--outcome", "f"), ["failure"])
        self.assertEqual(self.complete_in_bash("mneme", "--store", "x", "completion", "z"),
                         ["zsh"])
        self.assertEqual(self.complete_in_bash("mneme", "import", "completion.b"),
                         ["completion.bash"])
        self.assertEqual(self.complete_in_bash("mneme", "--store", "completion.b"),
                         ["completion.bash"])
        self.assertEqual(self.complete_in_bash("mneme", "--token-file", "completion.b"),
                         ["completion.bash"])
        self.assertEqual(self.complete_in_bash("mneme", "--token-file", "x", "doc"), ["doctor"])
        self.assertEqual(self.complete_in_bash("mneme", "query", "--tag", ""), [])
        self.assertEqual(self.complete_in_bash("mneme", "sync", "st"), ["status"])
        self.assertEqual(self.complete_in_bash("mneme", "sync", "--wat"), ["--watch"])
        self.assertEqual(self.complete_in_bash("mneme", "--remote", "x", "sync", "re"), ["retry"])
        self.assertEqual(self.complete_in_bash("mneme", "conflicts", "res"), ["resolve"])

    @unittest.skipUnless(shutil.which("zsh"), "zsh is not installed")
    def test_zsh__accepts_the_script(self):
        subprocess.run(["zsh", "-n", self.script("zsh")], check=True)

    @unittest.skipUnless(shutil.which("fish"), "fish is not installed")
    def test_fish__accepts_the_script_and_answers(self):
        path = self.script("fish")
        subprocess.run(["fish", "-n", path], check=True)
        program = f"source {path}; complete -C 'mneme query --outcome f'"
        done = subprocess.run(["fish", "-c", program], capture_output=True, check=True,
                              env={**os.environ, "HOME": str(self.directory)})
        self.assertIn(b"failure", done.stdout)

    def test_all_scripts__name_every_command_and_balance_their_quotes(self):
        for shell in ("bash", "zsh", "fish"):
            text = self.script(shell).read_text()
            for command in COMMANDS:
                self.assertIn(command.split()[-1], text)
            self.assertEqual(text.replace("\\'", "").count("'") % 2, 0, shell)

    def test_other_shell__is_refused(self):
        self.bad(2, "takes one of bash, zsh, fish, not 'tcsh'", "completion", "tcsh")


if __name__ == "__main__":
    unittest.main()

/* The commands behind `surehook <command>`. Each takes the words after its name and returns the
 * process's exit status. */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

int command_serve(int argc, char **argv);
int command_key(int argc, char **argv);
int command_listen(int argc, char **argv);
int command_backup(int argc, char **argv);
int command_restore(int argc, char **argv);
int command_compact(int argc, char **argv);
int command_check(int argc, char **argv);
int command_version(int argc, char **argv);

#endif

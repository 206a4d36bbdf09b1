# cmake -D SOURCE=DIR -D OUTPUT=FILE -P commit.cmake
# Writes a C source that tells which commit is being built, for `mneme bench report`. The file keeps
# its time when it would say the same, so that nothing is compiled for it again.
cmake_minimum_required(VERSION 3.25)
find_package(Git QUIET)
set(commit)
if(GIT_FOUND AND EXISTS ${SOURCE}/.git)
    execute_process(
        COMMAND ${GIT_EXECUTABLE} -C ${SOURCE} describe --always --abbrev=12 --exclude=* --dirty=+
        OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
    string(REPLACE "+" " with changes" commit "${commit}")
endif()
set(content "extern const char mneme_commit[];\nconst char mneme_commit[] = \"@commit@\";\n")
file(CONFIGURE OUTPUT ${OUTPUT} CONTENT "${content}" @ONLY)

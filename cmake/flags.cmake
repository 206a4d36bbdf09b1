# Compiler and linker flags of everything in this tree.

option(MNEME_WERROR "Treat compiler warnings as errors" OFF)
option(MNEME_ASSERTS "Compile the ASSERT checks in" OFF)
option(MNEME_COVERAGE "Count which lines run" OFF)
option(MNEME_FUZZ "Build the fuzz targets with libFuzzer (clang only)" OFF)
set(MNEME_SANITIZE "" CACHE STRING "Sanitizers, comma-separated: address,undefined or thread")

if(NOT CMAKE_BUILD_TYPE)
    set(CMAKE_BUILD_TYPE Release CACHE STRING "Debug or Release" FORCE)
endif()

set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_CXX_STANDARD 11)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

# The same objects go into the shared library and the programs.
include(CheckPIESupported)
check_pie_supported(LANGUAGES C)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

add_compile_definitions(_GNU_SOURCE)
add_compile_options(
    -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wvla -Wundef -Wcast-qual
    -Wwrite-strings -Wformat=2 -Wnull-dereference -Wswitch-enum)
add_compile_options("$<$<COMPILE_LANGUAGE:C>:-Wstrict-prototypes;-Wmissing-prototypes>")
# A text that snprintf cuts is one that may be cut: the size given to it is the limit.
add_compile_options("$<$<C_COMPILER_ID:GNU>:-Wno-format-truncation>")
# The C++ in this tree is a shim over a header-only parser. It must not need the C++ runtime, so
# programs are linked as C (LINKER_LANGUAGE), and CMake is kept from adding that runtime by itself.
add_compile_options("$<$<COMPILE_LANGUAGE:CXX>:-fno-exceptions;-fno-rtti>")
set(CMAKE_CXX_IMPLICIT_LINK_LIBRARIES "")
# Unique symbols would stay visible in libmneme.a whatever their visibility says.
add_compile_options("$<$<COMPILE_LANG_AND_ID:CXX,GNU>:-fno-gnu-unique>")

if(MNEME_WERROR)
    add_compile_options(-Werror)
endif()
if(MNEME_ASSERTS)
    add_compile_definitions(MNEME_ASSERTS)
endif()
if(MNEME_COVERAGE)
    add_compile_options(--coverage -fprofile-update=atomic)
    add_link_options(--coverage -fprofile-update=atomic)
endif()
if(MNEME_FUZZ)
    add_compile_options(-fsanitize=fuzzer-no-link)
endif()

add_link_options(-Wl,-z,relro,-z,now)
if(MNEME_SANITIZE)
    add_compile_options(-fsanitize=${MNEME_SANITIZE} -fno-sanitize-recover=all
                        -fno-omit-frame-pointer)
    add_link_options(-fsanitize=${MNEME_SANITIZE})
    # Checks of C++ types, which need the C++ runtime.
    add_compile_options("$<$<COMPILE_LANG_AND_ID:CXX,Clang>:-fno-sanitize=function,vptr>")
else()
    # Sanitizers bring their own, sharper forms of these checks.
    add_compile_options(-fstack-protector-strong -fstack-clash-protection)
    add_compile_options("$<$<CONFIG:Release>:-U_FORTIFY_SOURCE;-D_FORTIFY_SOURCE=2>")
endif()

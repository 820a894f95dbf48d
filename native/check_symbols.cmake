# cmake -DNM=nm -DOBJECTS="a.o|b.o" -P check_symbols.cmake: fails if an object defines a weak or unique symbol.
string(REPLACE "|" ";" objects "${OBJECTS}")
foreach(object IN LISTS objects)
  execute_process(COMMAND "${NM}" "${object}" OUTPUT_VARIABLE symbols COMMAND_ERROR_IS_FATAL ANY)
  # nm's classes: W, V weak and defined; u unique. Lower-case w, v are references to something elsewhere.
  string(REGEX MATCHALL "[0-9a-f]+ [WVu] [^\n]+" weak "${symbols}")
  if(weak)
    message(FATAL_ERROR "${object} exports symbols that the linker may merge across instruction sets: ${weak}")
  endif()
endforeach()

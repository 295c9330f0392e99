/** Something that tells when there may be changes to read. */
export type ChangeSignal = {
  /** False: nothing would be heard at the moment, so that who wants to know has to look. */
  readonly isLive: () => boolean
  readonly stop: () => void
}

/** Of a database that tells nothing. */
export const NO_SIGNAL: ChangeSignal = { isLive: () => false, stop: () => undefined }
